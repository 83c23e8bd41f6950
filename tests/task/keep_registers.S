/*
 * uint64_t keep_registers(void (*call)(void *arg), void *arg, uint64_t seed)
 *
 * Fills every register that a called function must preserve with a value made from seed, calls, and
 * returns all differences or'ed together: 0 if each register still holds its own. Restores them
 * all. For test_switch.c, on the machines that ferry has assembly for.
 */
#if defined(__x86_64__)

        .text
        .globl  keep_registers
        .type   keep_registers, @function
keep_registers:
        .cfi_startproc
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        subq    $24, %rsp
        .cfi_def_cfa_offset 80
        movq    %rdx, (%rsp)
        leaq    1(%rdx), %rbx
        leaq    2(%rdx), %rbp
        leaq    3(%rdx), %r12
        leaq    4(%rdx), %r13
        leaq    5(%rdx), %r14
        leaq    6(%rdx), %r15
        movq    %rdi, %rax
        movq    %rsi, %rdi
        callq   *%rax
        movq    (%rsp), %rdx
        xorl    %eax, %eax
        number = 1
        .irp    register, %rbx, %rbp, %r12, %r13, %r14, %r15
        leaq    number(%rdx), %rcx
        xorq    \register, %rcx
        orq     %rcx, %rax
        number = number + 1
        .endr
        addq    $24, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size   keep_registers, . - keep_registers
        .section .note.GNU-stack, "", @progbits

#elif defined(__aarch64__)

        .text
        .globl  keep_registers
        .type   keep_registers, %function
keep_registers:
        .cfi_startproc
        sub     sp, sp, #176
        .cfi_def_cfa_offset 176
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        str     x2, [sp, #160]
        .set    number, 1
        .irp    register, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29
        add     \register, x2, #number
        .set    number, number + 1
        .endr
        .irp    register, d8, d9, d10, d11, d12, d13, d14, d15
        add     x9, x2, #number
        fmov    \register, x9
        .set    number, number + 1
        .endr
        mov     x9, x0
        mov     x0, x1
        blr     x9
        ldr     x2, [sp, #160]
        mov     x0, #0
        .set    number, 1
        .irp    register, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29
        add     x9, x2, #number
        eor     x9, x9, \register
        orr     x0, x0, x9
        .set    number, number + 1
        .endr
        .irp    register, d8, d9, d10, d11, d12, d13, d14, d15
        add     x9, x2, #number
        fmov    x10, \register
        eor     x9, x9, x10
        orr     x0, x0, x9
        .set    number, number + 1
        .endr
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #176
        ret
        .cfi_endproc
        .size   keep_registers, . - keep_registers
        .section .note.GNU-stack, "", %progbits

#else

        .section .note.GNU-stack, ""

#endif
