// Package chart draws what a load has shown: each call as a mark, by when it
// was due and how long it took, the percentiles of each second, the
// distribution, and what came of the calls of each second.
//
// The picture is drawn once, on a canvas of lines, marks and text, of which
// there are two: SVG, whose colours follow the reader's light or dark theme,
// and PNG, rasterised by golang.org/x/image. A charting library would bring
// some ten modules and still not the theme, nor marks by shape for those who
// do not see the colours.
package chart
