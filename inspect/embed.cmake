# Writes a C file with the bytes of files in it:
#   cmake -DOUTPUT=x.c -DHEADER=page.h -DPREFIX=page -DTEMPLATE=index.html -DFILES=a.css,b.js -P embed.cmake
# As constants PREFIX_template[] (with a NUL behind it) and the table PREFIX_files[].

function(bytes_of file result)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    " bytes "${bytes}")
  set(${result} "${bytes}" PARENT_SCOPE)
endfunction()

set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")

bytes_of("${TEMPLATE}" bytes)
set(text "#include \"${HEADER}\"\n\nconst unsigned char ${PREFIX}_template[] = {\n    ${bytes}0};\n")
string(APPEND text "const size_t ${PREFIX}_template_len = sizeof ${PREFIX}_template - 1;\n\n")

set(table "")
string(REPLACE "," ";" files "${FILES}")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  get_filename_component(extension "${file}" LAST_EXT)
  string(MAKE_C_IDENTIFIER "${name}" identifier)
  string(SUBSTRING "${extension}" 1 -1 extension) # without its dot
  bytes_of("${file}" bytes)
  string(APPEND text "static const unsigned char ${identifier}[] = {\n    ${bytes}0};\n\n")
  string(APPEND table "    {\"/${name}\", \"${type_${extension}}\", ${identifier}, sizeof ${identifier} - 1},\n")
endforeach()
string(APPEND text "const struct fy_page_file ${PREFIX}_files[] = {\n${table}};\n")
string(APPEND text "const size_t ${PREFIX}_file_count = sizeof ${PREFIX}_files / sizeof *${PREFIX}_files;\n")
file(WRITE "${OUTPUT}" "${text}")
