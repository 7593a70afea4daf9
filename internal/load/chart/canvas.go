package chart

import "image/color"

// canvas is what is drawn on, in units of a pixel from the upper left.
type canvas interface {
	rect(x, y, w, h float64, i ink, alpha float64)
	line(points []point, i ink, width float64, dashed bool)
	marks(s shape, at []point, size float64, i ink, alpha float64)
	text(x, y float64, s string, i ink, size float64, a anchor)
}

type point struct{ x, y float64 }

// ink is a colour by what it is for.
type ink int

const (
	inkPaper ink = iota
	inkText
	inkMuted
	inkGrid
	inkAnswered
	inkDegraded
	inkRefused
	inkFailed
	inkHung
	inkNotSent
	inkP50
	inkP99
	inkLimit
	inks
)

// palette has the colours of each ink on light and on dark paper. They follow
// Okabe and Ito, who chose them so that most who are colour-blind tell them
// apart; the light ones are darkened for contrast.
func palette(i ink) (light, dark color.NRGBA) {
	rgb := func(v uint32) color.NRGBA {
		return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255} //nolint:gosec // cut on purpose
	}
	of := [inks][2]uint32{
		inkPaper:    {0xffffff, 0x14171c},
		inkText:     {0x1c2128, 0xe6e9ee},
		inkMuted:    {0x5b6470, 0x9aa4b2},
		inkGrid:     {0xdfe3e8, 0x2d333b},
		inkAnswered: {0x0072b2, 0x56b4e9},
		inkDegraded: {0x8a5fb0, 0xc39be6},
		inkRefused:  {0xc77c00, 0xe69f00},
		inkFailed:   {0xc4320a, 0xff7a4d},
		inkHung:     {0xa00042, 0xff4d88},
		inkNotSent:  {0x6b6b6b, 0xa8a8a8},
		inkP50:      {0x00493a, 0x8ff0cf},
		inkP99:      {0x009e73, 0x2fd3a3},
		inkLimit:    {0x5b6470, 0x9aa4b2},
	}[i]
	return rgb(of[0]), rgb(of[1])
}

// shape tells marks apart where colours do not.
type shape int

const (
	dot shape = iota
	diamond
	triangle
	cross
	bar
)

type anchor int

const (
	start anchor = iota
	middle
	end
)
