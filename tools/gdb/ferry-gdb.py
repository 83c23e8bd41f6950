"""Ferry's tasks in GDB, in a live process and in a core file:

    info ferry tasks           every task: how it waits, for how long, what for
    info ferry connections     every connection: whose it is, what it does
    info ferry responses       every response that is open, with the place that opened it
    ferry bt 7                 the stack of task 7
    ferry task 7 COMMAND       a command of GDB's with task 7's stack in place of the thread's
    ferry gcore FILE           a core file that has the stacks of tasks in it, as GDB's own gcore's may not

GDB loads this by itself with libferry.so, where it finds and trusts it (docs/gdb.md); for a program that
is linked with the static library, and for the ferry command: source .../share/ferry/ferry-gdb.py

It only reads memory, and needs no debugging information: the library has tables (src/base/debug.h) that
say where things are. With that information, of course, the stacks say more.
"""

import struct
import time

import gdb
from gdb.unwinder import Unwinder, register_unwinder

# A list in a damaged core file may go round and round.
MOST_OF_ANYTHING = 1000000

# Nobody reads more of a stack.
MOST_FRAMES = 200


def say(text=""):
    gdb.write(text + "\n")


def evaluate(expression):
    """An expression of C's, whatever language the program is in; an int."""
    language = gdb.parameter("language")
    gdb.execute("set language c", to_string=True)
    try:
        return int(gdb.parse_and_eval("(unsigned long) (" + expression + ")"))
    finally:
        gdb.execute("set language " + language, to_string=True)


# ---------------------------------------------------------------------------------- memory


class Memory:
    """The inferior's memory, and where in it things are."""

    def __init__(self):
        self.inferior = gdb.selected_inferior()
        if not self.inferior.threads():
            raise gdb.GdbError("There is no process and no core file to look at.")
        endian = gdb.execute("show endian", to_string=True)
        self.byte_order = "big" if "big endian" in endian else "little"
        self.pointer_size = gdb.lookup_type("void").pointer().sizeof
        self.entries = {}
        for table in ("tasks", "registers", "ledger", "connections"):
            self.load(table)

    def load(self, table):
        try:
            address = evaluate("&ferry_debug_" + table)
        except gdb.error:
            raise gdb.GdbError("There is no ferry in this program (or none that was told to this GDB: "
                               "no symbol ferry_debug_%s)." % table)
        entry_size = 2 * self.pointer_size + 8
        names = []
        for i in range(MOST_OF_ANYTHING):
            entry = address + i * entry_size
            name = self.text(self.pointer(entry))
            if name is None:
                break
            offsets = entry + 2 * self.pointer_size
            self.entries[name] = (self.pointer(entry + self.pointer_size),
                                  self.number(offsets, 4), self.number(offsets + 4, 4))
            names.append(name)
        self.entries["all of " + table] = names

    def number(self, address, size, signed=False):
        try:
            data = self.inferior.read_memory(address, size)
        except gdb.MemoryError:
            raise gdb.GdbError("Ferry's books cannot be read: there is no memory at 0x%x." % address)
        return int.from_bytes(bytes(data), self.byte_order, signed=signed)

    def pointer(self, address):
        return self.number(address, self.pointer_size)

    def text(self, address):
        """A string of C's; None for NULL."""
        if address == 0:
            return None
        data = b""
        while len(data) < 4096 and b"\0" not in data:
            # To the end of what is surely readable with its first byte.
            size = 256 - address % 256
            try:
                data += bytes(self.inferior.read_memory(address, size))
            except gdb.MemoryError:
                break
            address += size
        return data.split(b"\0")[0].decode("utf-8", "replace")

    def offset(self, name):
        return self.entries[name][1]

    def field(self, struct, name, signed=False):
        _, offset, size = self.entries[name]
        return self.number(struct + offset, size, signed)

    def field_text(self, struct, name):
        return self.text(self.field(struct, name))

    def list(self, head, link_name):
        """The structs in the list, by the name of the link in them."""
        link = self.field(head, "fy_link.next")
        for _ in range(MOST_OF_ANYTHING):
            if link == head:
                return
            yield link - self.offset(link_name)
            link = self.field(link, "fy_link.next")
        raise gdb.GdbError("One of ferry's lists does not end: its memory is damaged.")

    def schedulers(self):
        sched = self.pointer(self.entries["schedulers"][0])
        while sched != 0:
            yield sched
            sched = self.field(sched, "fy_sched.next")


# ------------------------------------------------------------------------------------ tasks


class Task:
    def __init__(self, memory, sched, address):
        self.memory = memory
        self.sched = sched
        self.address = address
        self.number = self.get("number")
        self.name = memory.field_text(address, "fy_task.name")
        self.connection = self.get("connection")
        self.why = memory.field_text(address, "fy_task.why")
        self.since = memory.field(address, "fy_task.since", signed=True)
        self.thread_id = memory.field(sched, "fy_sched.thread_id")

    def get(self, field):
        return self.memory.field(self.address, "fy_task." + field)

    def is_thread(self):
        return self.address == self.sched + self.memory.offset("fy_sched.root")

    def is_current(self):
        return self.address == self.memory.field(self.sched, "fy_sched.current")

    def has_registers(self):
        """It runs, or sleeps in the poller: its registers are a thread's, and not on its stack."""
        return self.is_current() or self.why is None

    def is_at_rest(self):
        """A loop between two turns."""
        return self.get("stack") == 0

    def state(self):
        if self.why is None:
            return "running" if self.has_registers() else "runnable"
        if self.get("woken"):
            return "runnable"
        return self.memory.field_text(self.address, "fy_task.on")

    def thread(self):
        """The thread that it runs on, if it does."""
        guest = self.memory.field(self.sched, "fy_sched.guest")
        if guest != 0 and self.is_current():
            return thread_named("ferry monitor")
        if self.thread_id == 0:
            return None
        for thread in gdb.selected_inferior().threads():
            if thread.ptid[1] == self.thread_id or thread.ptid[2] == self.thread_id:
                return thread
        return None

    def what(self):
        text = self.name
        if self.is_thread():
            text += " %d" % self.thread_id
        function = self.get("function")
        if function != 0:
            text += " " + place_of(function)
        if self.connection != 0:
            text += ", connection %d" % self.connection
        if self.why is not None:
            text += ": " + self.why
        file = self.memory.field_text(self.address, "fy_task.file")
        if file is not None:
            text += " (started by task %d at %s:%d)" % (self.get("creator"), file, self.get("line"))
        elif self.get("creator") != 0:
            text += " (started by task %d)" % self.get("creator")
        if self.memory.field(self.sched, "fy_sched.is_harbour"):
            text += " (its thread has ended)"
        return text


def thread_named(name):
    for thread in gdb.selected_inferior().threads():
        if thread.name == name:
            return thread
    return None


def place_of(function):
    """fetch, or 0x401234 for what has no name."""
    text = gdb.execute("info symbol 0x%x" % function, to_string=True)
    return "0x%x" % function if text.startswith("No symbol") else text.split()[0]


def all_tasks(memory):
    tasks = []
    for sched in memory.schedulers():
        if memory.field(sched, "fy_sched.alive") or memory.field(sched, "fy_sched.is_harbour"):
            head = sched + memory.offset("fy_sched.tasks")
            tasks += [Task(memory, sched, address) for address in memory.list(head, "fy_task.all")]
    return sorted(tasks, key=lambda task: task.number)


def find_task(memory, word):
    if not word.isdigit():
        raise gdb.GdbError("\"%s\" is not a task's number: info ferry tasks lists them." % word)
    for task in all_tasks(memory):
        if task.number == int(word):
            return task
    raise gdb.GdbError("There is no task %s: info ferry tasks lists them." % word)


def time_of(memory):
    """Now, for a process that runs here; for all others, when the last of ferry's threads last looked."""
    connection = getattr(memory.inferior, "connection", None)
    if connection is not None and connection.type == "native":
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    times = [memory.field(sched, "fy_sched.now", signed=True) for sched in memory.schedulers()]
    return max(times + [task.since for task in all_tasks(memory)])


def duration(nanoseconds):
    seconds = max(nanoseconds, 0) / 1e9
    if seconds < 1:
        return "%d ms" % (seconds * 1000)
    if seconds < 60:
        return "%.1f s" % seconds
    if seconds < 3600:
        return "%d min %d s" % (seconds // 60, seconds % 60)
    return "%d h %d min" % (seconds // 3600, seconds // 60 % 60)


def table(rows):
    """Columns as wide as what is in them; the last one ends where it ends."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        say("  ".join(cells + [row[-1]]).rstrip())


# ----------------------------------------------------------------------------------- stacks


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TaskUnwinder(Unwinder):
    """Says that the thread's innermost frame was called by a parked task: no register is written, which
    a core file would not allow, and a process need not notice."""

    def __init__(self):
        super().__init__("ferry tasks")
        self.registers = None  # the parked task's, by name; None: nothing is to be done
        self.top = None        # (sp, pc) of the innermost frame

    def __call__(self, pending):
        if self.registers is None:
            return None
        if (int(pending.read_register("sp")), int(pending.read_register("pc"))) != self.top:
            return None
        # Frames are told apart by their stack pointers, and a caller's has to be higher.
        low = gdb.Value(self.registers["below"]).cast(gdb.lookup_type("void").pointer())
        pc = gdb.Value(self.registers["pc of it"]).cast(gdb.lookup_type("void").pointer())
        unwound = pending.create_unwind_info(FrameId(low, pc))
        for name, number in self.registers.items():
            if " " not in name and name != "below":
                register_type = pending.read_register(name).type
                unwound.add_saved_register(name, gdb.Value(number).cast(register_type))
        return unwound


unwinder = TaskUnwinder()
register_unwinder(None, unwinder, replace=True)


def registers_of(task):
    """Of a parked task, by GDB's names."""
    memory = task.memory
    if task.is_at_rest():
        raise gdb.GdbError("Task %d is at rest, and has no stack: its next turn begins with a call of %s."
                           % (task.number, place_of(task.get("turn"))))
    stopped = task.get("stopped")
    registers = {}
    for name in memory.entries["all of registers"]:
        _, offset, size = memory.entries[name]
        if name.startswith("frame of "):
            registers[name[len("frame of "):]] = stopped + offset
        else:
            registers[name] = memory.number(stopped + offset, size)
    if not registers:
        raise gdb.GdbError("On this machine ferry's script knows tasks, and not their stacks.")
    sp = registers.get("rsp", registers.get("sp"))
    registers["below"] = sp - 16
    registers["pc of it"] = registers.get("rip", registers.get("pc"))
    return registers


class Looking:
    """The selected thread and frame, as they were before; in between the task's stack stands in place of
    the thread's, or the task's own thread is selected."""

    def __init__(self, task):
        self.task = task

    def __enter__(self):
        self.thread = gdb.selected_thread()
        self.level = 0
        frame = gdb.selected_frame()
        while frame.newer() is not None:
            frame = frame.newer()
            self.level += 1
        if self.task.has_registers():
            thread = self.task.thread()
            if thread is None:
                raise gdb.GdbError("Task %d runs, and its thread (%d) is not to be found."
                                   % (self.task.number, self.task.thread_id))
            thread.switch()
            return gdb.newest_frame()
        registers = registers_of(self.task)
        top = gdb.newest_frame()
        unwinder.top = (int(top.read_register("sp")), int(top.read_register("pc")))
        unwinder.registers = registers
        gdb.invalidate_cached_frames()
        return gdb.newest_frame().older()

    def __exit__(self, *unused):
        unwinder.registers = None
        gdb.invalidate_cached_frames()
        self.thread.switch()
        gdb.execute("frame %d" % self.level, to_string=True)
        return False


def arguments_of(frame):
    try:
        block = frame.block()
    except RuntimeError:
        return ""
    while block.function is None and block.superblock is not None:
        block = block.superblock
    words = []
    for symbol in block:
        if symbol.is_argument:
            try:
                value = symbol.value(frame).format_string(max_elements=20, summary=True)
            except (gdb.error, gdb.MemoryError, TypeError):
                value = "..."
            words.append("%s=%s" % (symbol.name, value))
    return ", ".join(words)


def describe_frame(level, frame):
    text = "#%-3d" % level
    if level == 0 or frame.type() != gdb.INLINE_FRAME:
        text += "0x%016x in " % frame.pc()
    text += "%s (%s)" % (frame.name() or "??", arguments_of(frame))
    place = frame.find_sal()
    if place.symtab is not None:
        text += " at %s:%d" % (place.symtab.filename, place.line)
    else:
        library = gdb.solib_name(frame.pc())
        text += " from " + library if library else ""
    return text


def backtrace(task):
    with Looking(task) as frame:
        for level in range(MOST_FRAMES):
            if frame is None or frame.pc() == 0:
                return
            say(describe_frame(level, frame))
            reason = frame.unwind_stop_reason()
            if reason not in (gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST):
                say("(the stack ends here: %s)" % gdb.frame_stop_reason_string(reason))
            frame = frame.older()
        say("(and more)")


# ------------------------------------------------------------------------------- core files


def segments(core):
    """Of a core file of 64 bits: (address, size, place in the file) of each piece of memory."""
    header = core.read(64)
    if header[:5] != b"\x7fELF\x02":
        raise gdb.GdbError("The core file is there, without the tasks' stacks: they can only be added to "
                           "one of 64 bits.")
    order = "<" if header[5] == 1 else ">"
    headers_at, sections_at = struct.unpack_from(order + "QQ", header, 32)
    size, count = struct.unpack_from(order + "HH", header, 54)
    if count == 0xffff:
        # More than fit into the header: the first section says how many.
        core.seek(sections_at + 44)
        count, = struct.unpack(order + "I", core.read(4))
    core.seek(headers_at)
    table = core.read(size * count)
    for i in range(count):
        kind, _, place, address, _, file_size = struct.unpack_from(order + "IIQQQQ", table, i * size)
        if kind == 1:
            yield address, file_size, place


def add_stack(core, pieces, task):
    memory = task.memory
    if task.is_at_rest():
        return
    high = memory.field(task.get("stack"), "fy_stack.high")
    if high == 0:
        return  # a thread's own
    if task.has_registers():
        low = high - 4096  # where the task itself lies
    else:
        low = registers_of(task)["below"] - 256
    for address, size, place in pieces:
        if address <= low and high <= address + size:
            core.seek(place + low - address)
            core.write(bytes(memory.inferior.read_memory(low, high - low)))


# --------------------------------------------------------------------------------- commands


class InfoFerry(gdb.Command):
    """What ferry has: info ferry tasks, info ferry connections, info ferry responses."""

    def __init__(self):
        super().__init__("info ferry", gdb.COMMAND_STATUS, prefix=True)

    def invoke(self, argument, from_tty):
        raise gdb.GdbError("info ferry tasks, info ferry connections, or info ferry responses.")


class InfoTasks(gdb.Command):
    """Ferry's tasks, one a line: its number (with * if it runs), how it waits, for how long, what it is,
what it waits for, and who started it where. Times in a core file are as of the last look at the clock that
one of ferry's threads had."""

    def __init__(self):
        super().__init__("info ferry tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        memory = Memory()
        now = time_of(memory)
        rows = [("  Task", "State", "For", "What")]
        for task in all_tasks(memory):
            state = task.state()
            rows.append((("* " if state == "running" else "  ") + str(task.number), state,
                         duration(now - task.since) if task.why is not None else "",
                         task.what()))
        table(rows)


class InfoConnections(gdb.Command):
    """Ferry's connections, one a line: number, host, what it does, requests begun on it."""

    def __init__(self):
        super().__init__("info ferry connections", gdb.COMMAND_STATUS)

    @staticmethod
    def state(memory, conn):
        if memory.field(conn, "fy_persist_conn.is_closed"):
            return "closing"
        serves = memory.field(conn, "fy_persist_conn.serving")
        if serves == 0 or memory.field(conn, "fy_persist_conn.is_idle"):
            return "idle"
        return "awaiting" if memory.field(conn, "fy_persist_conn.expected") else "unread"

    def invoke(self, argument, from_tty):
        memory = Memory()
        rows = [("Connection", "Read loop", "State", "Requests", "Host")]
        for task in all_tasks(memory):
            if task.get("describe") == 0 or task.connection == 0:
                continue
            conn = task.get("arg")
            host = ""
            if memory.field(conn, "fy_persist_conn.counted"):
                address = memory.field(conn, "fy_persist_conn.host")
                host = "%s://%s" % (memory.field_text(address, "fy_host.scheme"),
                                    memory.field_text(address, "fy_host.host_port"))
            rows.append((str(task.connection), "task %d" % task.number, self.state(memory, conn),
                         str(memory.field(conn, "fy_persist_conn.requests")), host))
        table(rows)


class InfoResponses(gdb.Command):
    """The responses that are open, one a line: where each was opened, for how long it has been, bytes read of
how many, the connection that it holds."""

    def __init__(self):
        super().__init__("info ferry responses", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        memory = Memory()
        now = time_of(memory)
        rows = [("Opened at", "Open for", "Read", "Holds", "URL")]
        for sched in memory.schedulers():
            head = sched + memory.offset("fy_sched.open_responses")
            for entry in memory.list(head, "fy_ledger_entry.link"):
                rows.append(self.row(memory, entry, now))
        table(rows)

    @staticmethod
    def row(memory, entry, now):
        def get(field, signed=False):
            return memory.field(entry, "fy_ledger_entry." + field, signed)

        file = memory.text(get("file"))
        length = get("length", signed=True)
        return ("%s:%d" % (file, get("line")) if file is not None else "(unknown place)",
                duration(now - get("opened", signed=True)),
                "%d of %s bytes" % (get("bytes_read"), length if length >= 0 else "unknown"),
                "connection %d" % get("connection") if get("holds_connection") else "memory only",
                memory.text(get("url")) or "")


class Ferry(gdb.Command):
    """Ferry's tasks: ferry bt NUMBER, ferry task NUMBER COMMAND. (info ferry lists them.)"""

    def __init__(self):
        super().__init__("ferry", gdb.COMMAND_STACK, prefix=True)

    def invoke(self, argument, from_tty):
        raise gdb.GdbError("ferry bt NUMBER, or ferry task NUMBER COMMAND; info ferry tasks lists them.")


class FerryBacktrace(gdb.Command):
    """The stack of one of ferry's tasks, or of all: ferry bt NUMBER, ferry bt all."""

    def __init__(self):
        super().__init__("ferry bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        memory = Memory()
        word = argument.strip()
        tasks = all_tasks(memory) if word == "all" else [find_task(memory, word)]
        for task in tasks:
            say("task %d [%s]: %s" % (task.number, task.state(), task.what()))
            if task.is_at_rest():
                say("(at rest, without a stack: its next turn begins with a call of %s)"
                    % place_of(task.get("turn")))
            else:
                backtrace(task)
            if len(tasks) > 1:
                say()


class FerryTask(gdb.Command):
    """A command of GDB's, with a task's stack in place of the thread's: ferry task NUMBER COMMAND.
Of a parked task, frame 0 is still the thread's, and the task's own begin with frame 1, which is selected:
ferry task 7 frame apply level 4 info locals"""

    def __init__(self):
        super().__init__("ferry task", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        if len(words) < 2:
            raise gdb.GdbError("ferry task NUMBER COMMAND: as in ferry task 7 bt full.")
        with Looking(find_task(Memory(), words[0])) as frame:
            frame.select()
            gdb.execute(words[1], from_tty)


class FerryGcore(gdb.Command):
    """A core file: ferry gcore FILE. It is GDB's gcore, which stops reading a piece of memory at the first page
that it cannot read; where the kernel knows guard pages (Linux 6.13) these stand below each task's stack, and
so all stacks would be missing. The kernel's own core files have them."""

    def __init__(self):
        super().__init__("ferry gcore", gdb.COMMAND_DATA, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        name = argument.strip()
        if not name:
            raise gdb.GdbError("ferry gcore FILE")
        tasks = all_tasks(Memory())
        gdb.execute("gcore " + name, to_string=True)
        with open(name, "r+b") as core:
            pieces = list(segments(core))
            for task in tasks:
                add_stack(core, pieces, task)
        say("Saved corefile " + name + " with the stacks of %d tasks" % len(tasks))


for command in (InfoFerry, InfoTasks, InfoConnections, InfoResponses, Ferry, FerryBacktrace, FerryTask,
                FerryGcore):
    command()
