package analysis

import "strings"

// american respells the commonest British forms, so that both meet in one
// stem. It is applied to documents and questions alike; a word it turns into
// something odd still meets itself.
func american(word string) string {
	if len(word) < 5 {
		return word
	}
	switch {
	case strings.HasPrefix(word, "programme") && !strings.HasPrefix(word, "programmed") && !strings.HasPrefix(word, "programmer"):
		return "program"
	case strings.HasPrefix(word, "analys") && len(word) > 7 && word[6] == 'e':
		return "analyz" + word[6:]
	case strings.HasPrefix(word, "aluminium"):
		return "aluminum"
	}
	for _, pair := range [...][2]string{
		{"colour", "color"},
		{"behaviour", "behavior"},
		{"favour", "favor"},
		{"honour", "honor"},
		{"labour", "labor"},
		{"neighbour", "neighbor"},
		{"vapour", "vapor"},
		{"tumour", "tumor"},
		{"humour", "humor"},
		{"odour", "odor"},
		{"flavour", "flavor"},
		{"harbour", "harbor"},
		{"rumour", "rumor"},
		{"armour", "armor"},
		{"endeavour", "endeavor"},
		{"centre", "center"},
		{"fibre", "fiber"},
		{"metre", "meter"},
		{"litre", "liter"},
		{"theatre", "theater"},
		{"catalogue", "catalog"},
		{"dialogue", "dialog"},
		{"licence", "license"},
		{"defence", "defense"},
		{"offence", "offense"},
		{"travell", "travel"},
		{"cancell", "cancel"},
		{"modell", "model"},
		{"labell", "label"},
		{"levell", "level"},
		{"signall", "signal"},
		{"channell", "channel"},
		{"counsell", "counsel"},
		{"fuell", "fuel"},
		{"enroll", "enrol"},
		{"fulfill", "fulfil"},
		{"paediatric", "pediatric"},
		{"anaem", "anem"},
		{"anaesth", "anesth"},
		{"haemo", "hemo"},
		{"gynaec", "gynec"},
		{"orthopaed", "orthoped"},
		{"oestro", "estro"},
		{"diarrhoea", "diarrhea"},
		{"foetus", "fetus"},
		{"foetal", "fetal"},
		{"caesar", "cesar"},
		{"ageing", "aging"},
		{"grey", "gray"},
		{"tyre", "tire"},
		{"cheque", "check"},
	} {
		if rest, ok := strings.CutPrefix(word, pair[0]); ok {
			return pair[1] + rest
		}
	}
	if len(word) < 7 {
		return word
	}
	for _, suffix := range [...]string{"ise", "ised", "ises", "ising", "isation", "isations"} {
		if root, ok := strings.CutSuffix(word, suffix); ok {
			return root + "iz" + suffix[2:]
		}
	}
	return word
}
