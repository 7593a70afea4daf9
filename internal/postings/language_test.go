package postings_test

import (
	"fmt"
	"testing"

	"weir/internal/analysis"
	"weir/internal/postings"
)

type asked struct {
	question string
	want     int // passage
}

// handbooks say nearly the same six things in every language, so that the
// distractors of a question share most of its words.
func handbooks() map[string]struct {
	passages []string
	asked    []asked
} {
	type book = struct {
		passages []string
		asked    []asked
	}
	return map[string]book{
		"Chinese": {
			[]string{
				"门诊就诊每次需支付二十元的挂号费，专科医生另行收费。",
				"住院治疗期间，保险支付前九十天的费用，之后由被保险人自行承担。",
				"处方药须在指定药房领取，每月的胰岛素费用不超过三十五元。",
				"牙科服务包括每年两次洗牙和一次检查，不包括种植牙。",
				"如对理赔决定不服，可在六十五天内提出申诉。",
				"救护车费用由保险全额支付，无需事先批准。",
			},
			[]asked{{"每年可以洗几次牙？", 3}, {"胰岛素每个月要多少钱？", 2}, {"我有多少天可以申诉？", 4}, {"住院保险付多少天？", 1}, {"救护车需要批准吗？", 5}, {"药", 2}},
		},
		"Japanese": {
			[]string{
				"外来の診察には一回につき二千円の自己負担があります。",
				"入院の費用は最初の九十日まで保険で支払われます。",
				"インスリンの費用は一か月三千五百円を超えません。処方薬は指定薬局で受け取ってください。",
				"歯のクリーニングは年に二回まで保険の対象です。",
				"決定に不服がある場合は六十五日以内に異議を申し立てることができます。",
				"救急車の利用に事前の承認は必要ありません。",
			},
			[]asked{{"歯のクリーニングは年に何回できますか？", 3}, {"インスリンはいくらですか", 2}, {"異議申し立ての期限はいつまでですか", 4}, {"救急車には承認が必要ですか？", 5}, {"ｲﾝｽﾘﾝ", 2}},
		},
		"Thai": {
			[]string{
				"การพบแพทย์ผู้ป่วยนอกแต่ละครั้งต้องจ่ายสองร้อยบาท",
				"ค่ารักษาในโรงพยาบาลประกันจ่ายให้เก้าสิบวันแรก",
				"ค่าอินซูลินไม่เกินสามร้อยห้าสิบบาทต่อเดือน รับยาได้ที่ร้านขายยาที่กำหนด",
				"บริการทันตกรรมรวมการขูดหินปูนปีละสองครั้ง",
				"หากไม่เห็นด้วยกับการตัดสินใจ สามารถยื่นอุทธรณ์ได้ภายในหกสิบห้าวัน",
				"รถพยาบาลไม่ต้องขออนุมัติล่วงหน้า",
			},
			[]asked{{"ขูดหินปูนได้ปีละกี่ครั้ง", 3}, {"อินซูลินราคาเท่าไร", 2}, {"ยื่นอุทธรณ์ได้ภายในกี่วัน", 4}, {"รถพยาบาลต้องขออนุมัติไหม", 5}},
		},
		"Arabic": {
			[]string{
				"تدفع عشرين دينارا عن كل زيارة للطبيب في العيادة الخارجية.",
				"يغطي التأمين تكاليف الإقامة في المستشفى لمدة تسعين يوما.",
				"لا تتجاوز تكلفة الأنسولين خمسة وثلاثين دينارا في الشهر.",
				"تشمل خدمات الأسنان تنظيفين في السنة ولا تشمل الزراعة.",
				"إذا لم توافق على القرار يمكنك تقديم استئناف خلال خمسة وستين يوما.",
				"سيارات الإسعاف لا تحتاج إلى موافقة مسبقة.",
			},
			[]asked{{"كم مرة يمكن تنظيف الأسنان في السنة؟", 3}, {"كم تكلفة الانسولين؟", 2}, {"كيف أقدم استئنافا على قرار؟", 4}, {"هل تحتاج سيارة الإسعاف إلى موافقة؟", 5}, {"المُسْتَشْفَى", 1}},
		},
		"German": {
			[]string{
				"Für jeden Besuch beim Facharzt zahlen Sie eine Gebühr von zwanzig Euro.",
				"Bei einem Krankenhausaufenthalt werden die Kosten für neunzig Tage übernommen.",
				"Die Kosten für Insulin übersteigen 1.500,00 Euro im Jahr nicht. Arzneimittel erhalten Sie in der Apotheke.",
				"Die Zahnreinigungen werden zweimal jährlich bezahlt, Implantate nicht.",
				"Gegen eine Entscheidung können Sie innerhalb von 65 Tagen Widerspruch einlegen.",
				"Die Versicherungsbeiträge werden zum Monatsende fällig; ermäßigte Beiträge gelten für Schüler.",
			},
			[]asked{
				{"Wie oft wird eine Zahnreinigung bezahlt?", 3},
				{"Wie lange kann ich einer Entscheidung widersprechen, Widersprüche?", 4},
				{"Was kosten Besuche bei Fachärzten?", 0},
				{"Wann ist der Beitrag zur Versicherung fällig?", 5},
				{"ermaessigter Beitrag", 5},
				{"1500 Euro", 2},
			},
		},
		"Spanish": {
			[]string{
				"Por cada visita al especialista usted paga un copago de veinte euros.",
				"El seguro cubre la hospitalización durante los primeros noventa días.",
				"La insulina no cuesta más de treinta y cinco euros al mes en farmacias autorizadas.",
				"Las limpiezas dentales están incluidas dos veces al año; los implantes no.",
				"Puede presentar una apelación contra la decisión en un plazo de sesenta y cinco días.",
				"Las ambulancias no requieren autorización previa; la cotización se paga cada mes.",
			},
			[]asked{{"¿Cuántas veces al año puedo hacerme una limpieza dental?", 3}, {"¿Cuánto tiempo tengo para apelar una decisión?", 4}, {"¿Necesita la ambulancia una autorizacion?", 5}, {"hospitalizacion", 1}, {"cotizaciones", 5}},
		},
		"Russian": {
			[]string{
				"За каждый приём у специалиста вы платите двадцать рублей.",
				"Страховка покрывает лечение в больнице в течение девяноста дней.",
				"Инсулин стоит не больше тридцати пяти рублей в месяц.",
				"Чистка зубов оплачивается дважды в год, имплантаты не оплачиваются.",
				"Решение можно обжаловать в течение шестидесяти пяти дней.",
				"Машина скорой помощи не требует предварительного разрешения.",
			},
			[]asked{{"Сколько раз в год можно делать чистку зуба?", 3}, {"Сколько стоит инсулин?", 2}, {"Как обжаловать решения?", 4}, {"Нужно ли разрешение для скорой помощи?", 5}, {"прием специалистов", 0}},
		},
		"French": {
			[]string{
				"Chaque consultation chez un spécialiste coûte vingt euros.",
				"L'assurance prend en charge l'hospitalisation pendant quatre-vingt-dix jours.",
				"Le prix de l'insuline ne dépasse pas trente-cinq euros par mois.",
				"Les détartrages sont remboursés deux fois par an.",
				"Vous pouvez contester une décision dans un délai de soixante-cinq jours.",
				"Les ambulances ne nécessitent aucune autorisation préalable.",
			},
			[]asked{{"Combien de détartrage par an sont remboursés ?", 3}, {"Quel est le délai pour contester les décisions ?", 4}, {"prix insuline", 2}, {"Qu'est-ce que l'hospitalisation ?", 1}},
		},
		"Korean": {
			[]string{
				"외래 진료는 한 번에 이만 원을 부담합니다.",
				"입원 치료비는 처음 구십 일까지 보험으로 지급됩니다.",
				"인슐린 비용은 한 달에 삼만 오천 원을 넘지 않습니다.",
				"치아 스케일링은 일 년에 두 번까지 보장됩니다.",
				"결정에 동의하지 않으면 육십오 일 이내에 이의를 제기할 수 있습니다.",
				"구급차는 사전 승인이 필요하지 않습니다.",
			},
			[]asked{{"스케일링은 몇 번 받을 수 있나요?", 3}, {"인슐린은 얼마인가요?", 2}, {"이의 제기 기간은?", 4}, {"구급차 승인", 5}},
		},
	}
}

// TestLanguages asks every handbook alone, and all of them in one index.
func TestLanguages(t *testing.T) {
	books := handbooks()
	all := &library{a: analysis.New(), ix: postings.New(postings.Config{})}
	keys := make(map[string]int64)
	for name, book := range books {
		keys[name] = int64(len(keys) + 1)
		if err := all.ix.Add(t.Context(), keys[name], segmentOf(t, all.a, "", book.passages...)); err != nil {
			t.Fatal(err)
		}
	}
	for name, book := range books {
		t.Run(name, func(t *testing.T) {
			alone := &library{a: all.a, ix: postings.New(postings.Config{})}
			if err := alone.ix.Add(t.Context(), keys[name], segmentOf(t, all.a, "", book.passages...)); err != nil {
				t.Fatal(err)
			}
			for where, l := range map[string]*library{"alone": alone, "among others": all} {
				for _, q := range book.asked {
					hits := l.search(t, q.question, 3)
					if len(hits) == 0 || hits[0].Key != keys[name] || hits[0].Chunk != q.want {
						t.Errorf("%s: %q: %v, want passage %d of %d\n%v", where, q.question, fmt.Sprint(hits), q.want, keys[name], l.groups(q.question))
					}
				}
			}
		})
	}
}

// TestFoundAsTyped finds what stands in the text in whole and in parts.
func TestFoundAsTyped(t *testing.T) {
	passages := []string{
		"Your plan number is H5427-003, see Part D of the booklet.",
		"Part B covers doctors; write to claims@example.org for a copy.",
		"The limit is $1,500.00 for out-of-pocket costs.",
		"Updated on 12.05.2024, see https://www.example.com/forms/appeal.html for forms.",
		"Nothing of interest is here, only what and how and the rest of it.",
	}
	l := &library{a: analysis.New(), ix: postings.New(postings.Config{})}
	if err := l.ix.Add(t.Context(), 1, segmentOf(t, l.a, "", passages...)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []asked{
		{"H5427-003", 0},
		{"h5427", 0},
		{"003", 0},
		{"H5427003", 0},
		{"part d", 0},
		{"Part B", 1},
		{"claims@example.org", 1},
		{"claims", 1},
		{"$1,500", 2},
		{"1500", 2},
		{"1.500,00", 2},
		{"out-of-pocket", 2},
		{"pocket", 2},
		{"out of pocket", 2},
		{"12.05.2024", 3},
		{"2024", 3},
		{"https://www.example.com/forms/appeal.html", 3},
		{"appeal", 3},
		{"example.com", 3},
		{"what and how", 4},
	} {
		if hits := l.search(t, c.question, 1); len(hits) == 0 || hits[0].Chunk != c.want {
			t.Errorf("%q: %v, want passage %d", c.question, hits, c.want)
		}
	}
}
