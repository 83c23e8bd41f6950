/*
 * fy_switch for x86-64 (System V ABI). Saved: rbx, rbp, r12 to r15, and the control words of SSE and
 * x87, which a callee must preserve too (System V ABI, section 3.2.3). Everything else is the caller's
 * to save, and fy_switch is a call like any other.
 *
 *     high  | return address       |
 *           | rbp                  |
 *           | rbx                  |
 *           | r12 r13 r14 r15      |
 *     sp -> | mxcsr | x87 cw | pad |
 */
        .text
        .globl  fy_switch
        .hidden fy_switch
        .type   fy_switch, @function
        .p2align 4
fy_switch:
        .cfi_startproc
        endbr64
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        subq    $8, %rsp
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
        .cfi_endproc
        .size   fy_switch, . - fy_switch

/*
 * Where a new task begins: fy_switch_prepare has put entry into r12 and arg into r13. The call aligns
 * the stack as the ABI wants it; rbp is 0 and the return address undefined, so that a debugger's
 * backtrace ends here.
 */
        .globl  fy_switch_begin
        .hidden fy_switch_begin
        .type   fy_switch_begin, @function
        .p2align 4
fy_switch_begin:
        .cfi_startproc
        .cfi_undefined rip
        endbr64
        movq    %r13, %rdi
        callq   *%r12
        ud2
        .cfi_endproc
        .size   fy_switch_begin, . - fy_switch_begin

        .section .note.GNU-stack, "", @progbits
