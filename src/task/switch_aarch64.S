/*
 * fy_switch for AArch64 (AAPCS64). Saved: x19 to x28, the frame pointer x29, the link register x30, the
 * low halves of v8 to v15 (AAPCS64, section 6.1.2), and FPCR, which a callee must preserve too.
 *
 *     high  | fpcr | pad           |  160
 *           | d8 ... d15           |   96
 *           | x29  x30             |   80
 *     sp -> | x19 ... x28          |    0
 */
        .text
        .globl  fy_switch
        .hidden fy_switch
        .type   fy_switch, %function
        .p2align 4
fy_switch:
        .cfi_startproc
        sub     sp, sp, #176
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
        mrs     x9, fpcr
        str     x9, [sp, #160]
        mov     x10, sp
        str     x10, [x0]
        mov     sp, x1
        ldr     x9, [sp, #160]
        msr     fpcr, x9
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
        .size   fy_switch, . - fy_switch

/* Where a new task begins: fy_switch_prepare has put entry into x19 and arg into x20. */
        .globl  fy_switch_begin
        .hidden fy_switch_begin
        .type   fy_switch_begin, %function
        .p2align 4
fy_switch_begin:
        .cfi_startproc
        .cfi_undefined x30
        mov     x0, x20
        blr     x19
        brk     #1
        .cfi_endproc
        .size   fy_switch_begin, . - fy_switch_begin

        .section .note.GNU-stack, "", %progbits
