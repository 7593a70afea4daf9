#include "textflag.h"

// func cpuid(leaf, sub uint32) (eax, ebx, ecx, edx uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, eax+8(FP)
	MOVL BX, ebx+12(FP)
	MOVL CX, ecx+16(FP)
	MOVL DX, edx+20(FP)
	RET

// func xgetbv() (eax uint32)
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, eax+0(FP)
	RET

// func dotAVX2(a, b *float32, n int, next *float32) float32
// Multiplies and adds apart (no FMA): the sums must be those of dotGo.
TEXT ·dotAVX2(SB), NOSPLIT, $0-36
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ next+24(FP), DX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3

block:
	PREFETCHT0 0(DX)
	PREFETCHT0 64(DX)
	VMOVUPS 0(SI), Y4
	VMOVUPS 32(SI), Y5
	VMOVUPS 64(SI), Y6
	VMOVUPS 96(SI), Y7
	VMULPS  0(DI), Y4, Y4
	VMULPS  32(DI), Y5, Y5
	VMULPS  64(DI), Y6, Y6
	VMULPS  96(DI), Y7, Y7
	VADDPS  Y4, Y0, Y0
	VADDPS  Y5, Y1, Y1
	VADDPS  Y6, Y2, Y2
	VADDPS  Y7, Y3, Y3
	ADDQ    $128, SI
	ADDQ    $128, DI
	ADDQ    $128, DX
	DECQ    CX
	JNZ     block

	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0        // v[0..7]
	VEXTRACTF128 $1, Y0, X1
	VADDPS X1, X0, X0        // v[i] + v[i+4]
	VMOVHLPS X0, X0, X1
	VADDPS X1, X0, X0        // (0+2, 1+3)
	VMOVSHDUP X0, X1
	VADDSS X1, X0, X0
	VZEROUPPER
	MOVSS  X0, ret+32(FP)
	RET

// func scanGroupsAVX512(mem *uint64, words, n int, query *uint64, c *coeffs, est, ub *float32, masks *uint8)
// One register holds the same word of eight codes; Z0..Z3 count the four planes.
TEXT ·scanGroupsAVX512(SB), NOSPLIT, $0-64
	MOVQ mem+0(FP), SI
	MOVQ words+8(FP), DX
	MOVQ n+16(FP), CX
	MOVQ query+24(FP), DI
	MOVQ c+32(FP), R8
	MOVQ est+40(FP), R9
	MOVQ ub+48(FP), R10
	MOVQ masks+56(FP), R11

	VBROADCASTSS 0(R8), Y16  // b
	VBROADCASTSS 4(R8), Y17  // k
	VBROADCASTSS 8(R8), Y18  // ce
	VBROADCASTSS 12(R8), Y19 // cq
	VBROADCASTSS 16(R8), Y20 // h
	VBROADCASTSS 20(R8), Y21 // h1
	VBROADCASTSS 24(R8), Y22 // inv
	VBROADCASTSS 28(R8), Y23 // tau
	VPBROADCASTQ 32(R8), Z24 // base
	VXORPS       Y15, Y15, Y15

group:
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	MOVQ   DI, R12
	MOVQ   DX, R13

word:
	PREFETCHT0   4096(SI)
	VMOVDQU64    (SI), Z4
	VPXORQ.BCST  0(R12), Z4, Z5
	VPXORQ.BCST  8(R12), Z4, Z6
	VPXORQ.BCST  16(R12), Z4, Z7
	VPXORQ.BCST  24(R12), Z4, Z8
	VPOPCNTQ     Z5, Z5
	VPOPCNTQ     Z6, Z6
	VPOPCNTQ     Z7, Z7
	VPOPCNTQ     Z8, Z8
	VPADDQ       Z5, Z0, Z0
	VPADDQ       Z6, Z1, Z1
	VPADDQ       Z7, Z2, Z2
	VPADDQ       Z8, Z3, Z3
	ADDQ         $64, SI
	ADDQ         $32, R12
	DECQ         R13
	JNZ          word

	VPSLLQ    $1, Z0, Z0     // twice the sum, as base − 2·sum is wanted
	VPSLLQ    $2, Z1, Z1
	VPSLLQ    $3, Z2, Z2
	VPSLLQ    $4, Z3, Z3
	VPADDQ    Z1, Z0, Z0
	VPADDQ    Z3, Z2, Z2
	VPADDQ    Z2, Z0, Z0
	VPSUBQ    Z0, Z24, Z0
	VCVTQQ2PS Z0, Y0

	VMOVUPS 32(SI), Y5       // f
	VMOVUPS 64(SI), Y6       // g
	VMULPS  0(SI), Y16, Y7   // a·b
	VMULPS  Y17, Y0, Y0
	VMULPS  Y5, Y0, Y0       // w
	VMULPS  Y6, Y6, Y6
	VMULPS  Y18, Y6, Y6
	VMULPS  Y5, Y5, Y5
	VMULPS  Y19, Y5, Y5
	VADDPS  Y5, Y6, Y6       // H
	VMULPS  Y21, Y6, Y6
	VMULPS  Y0, Y0, Y8
	VMULPS  Y20, Y8, Y8
	VSUBPS  Y8, Y6, Y6
	VMAXPS  Y15, Y6, Y6
	VSQRTPS Y6, Y6
	VADDPS  Y0, Y6, Y6
	VMULPS  Y22, Y6, Y6
	VMAXPS  Y0, Y6, Y6
	VADDPS  Y7, Y6, Y6       // ub
	VADDPS  Y7, Y0, Y0       // est
	VMOVUPS Y0, (R9)
	VMOVUPS Y6, (R10)
	VCMPPS  $13, Y23, Y6, K1 // ub ≥ tau
	KMOVB   K1, AX
	MOVB    AX, (R11)

	ADDQ $96, SI
	ADDQ $32, R9
	ADDQ $32, R10
	INCQ R11
	DECQ CX
	JNZ  group

	VZEROUPPER
	RET
