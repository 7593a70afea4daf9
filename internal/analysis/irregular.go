package analysis

import "strings"

// irregulars are English words whose base form no suffix rule finds, each as
// "form:base ". Forms that are as often another word (left, lay, rose, saw,
// wound) are not here.
const irregulars = " " +
	"children:child childrens:child men:man mens:man women:woman womens:woman feet:foot teeth:tooth " +
	"mice:mouse knives:knife wives:wife lives:life halves:half criteria:criterion phenomena:phenomenon " +
	"analyses:analysis hypotheses:hypothesis diagnoses:diagnosis prostheses:prosthesis crises:crisis " +
	"indices:index matrices:matrix vertices:vertex vortices:vortex appendices:appendix radii:radius " +
	"formulae:formula paid:pay went:go gone:go bought:buy brought:bring built:build began:begin begun:begin " +
	"broke:break broken:break came:come caught:catch chose:choose chosen:choose drew:draw drawn:draw " +
	"drove:drive driven:drive ate:eat eaten:eat fallen:fall flew:fly flown:fly forgot:forget forgotten:forget " +
	"gave:give given:give got:get gotten:get grew:grow grown:grow held:hold kept:keep knew:know known:know " +
	"led:lead lent:lend lost:lose made:make meant:mean ran:run rode:ride ridden:ride seen:see sent:send " +
	"shown:show slept:sleep sold:sell spent:spend spoken:speak stolen:steal sought:seek taken:take took:take " +
	"taught:teach threw:throw thrown:throw told:tell thought:think understood:understand withdrew:withdraw " +
	"withdrawn:withdraw worn:wear wrote:write written:write "

// irregular returns the base form of an irregular English word, "" for all
// others.
func irregular(word string) string {
	if len(word) < 3 || strings.ContainsAny(word, " :") {
		return ""
	}
	_, rest, ok := strings.Cut(irregulars, " "+word+":")
	if !ok {
		return ""
	}
	base, _, _ := strings.Cut(rest, " ")
	return base
}
