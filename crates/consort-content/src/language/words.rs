//! The commonest words of some languages, and letters that few others use. Written for this project.
//!
//! A few of them in a short text say more than its letter statistics do.

use std::collections::HashMap;
use std::sync::LazyLock;

use whatlang::Lang;

/// What a known letter is worth, in words.
const LETTER: f64 = 0.5;
/// Lead, in words of one language only, below which nothing is said.
const LEAST: f64 = 0.6;

/// The language whose words clearly lead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) lang: Lang,
    /// 1 - e^(-0.7 lead), less where few of the words are known.
    pub(super) confidence: f64,
}

/// Languages that each word and letter speaks for, with how strongly: the fewer, the more.
struct Evidence {
    langs: Vec<Lang>,
    words: HashMap<&'static str, (Vec<usize>, f64)>,
    letters: HashMap<char, (Vec<usize>, f64)>,
}

static EVIDENCE: LazyLock<Evidence> = LazyLock::new(|| {
    let by_code: HashMap<&str, Lang> =
        Lang::all().iter().map(|lang| (super::code(*lang), *lang)).collect();
    let mut evidence =
        Evidence { langs: Vec::new(), words: HashMap::new(), letters: HashMap::new() };
    for (code, words, letters) in COMMON {
        let Some(lang) = by_code.get(code) else { continue };
        let index = evidence.langs.len();
        evidence.langs.push(*lang);
        for word in words.split(' ') {
            let (langs, _) = evidence.words.entry(word).or_default();
            if langs.last() != Some(&index) {
                langs.push(index);
            }
        }
        for letter in letters.chars() {
            evidence.letters.entry(letter).or_default().0.push(index);
        }
    }
    let all = (evidence.langs.len() + 1) as f64;
    let worth = |langs: &[usize]| (all / langs.len() as f64).ln() / all.ln();
    for (langs, weight) in evidence.words.values_mut() {
        *weight = worth(langs);
    }
    for (langs, weight) in evidence.letters.values_mut() {
        *weight = LETTER * worth(langs);
    }
    evidence
});

/// The language whose words and letters lead in `sample`.
pub(super) fn detect(sample: &str) -> Option<Found> {
    let evidence = &*EVIDENCE;
    let mut scores = vec![0.0; evidence.langs.len()];
    let (mut total, mut known) = (0_u32, 0_u32);
    let mut seen_letters: Vec<char> = Vec::new();
    let is_part = |c: char| c.is_alphabetic() || matches!(c, '\'' | '\u{2019}');
    for word in sample.split(|c| !is_part(c)).filter(|word| word.starts_with(char::is_alphabetic)) {
        total += 1;
        let lower = word.to_lowercase().replace('\u{2019}', "'");
        let clipped = lower.split('\'').next().unwrap_or_default();
        if let Some((langs, weight)) =
            evidence.words.get(lower.as_str()).or_else(|| evidence.words.get(clipped))
        {
            known += 1;
            for lang in langs {
                scores[*lang] += weight;
            }
        }
        // A letter speaks once per text: names repeat.
        for letter in lower.chars().filter(|c| !c.is_ascii()) {
            if let Some((langs, weight)) = evidence.letters.get(&letter)
                && !seen_letters.contains(&letter)
            {
                seen_letters.push(letter);
                for lang in langs {
                    scores[*lang] += weight;
                }
            }
        }
    }
    let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]))?;
    let second = (0..scores.len())
        .filter(|index| *index != best)
        .map(|index| scores[index])
        .fold(0.0, f64::max);
    let lead = scores[best] - second;
    // Ordinary prose is one third to one half such words; ten per cent is a quotation.
    let share = f64::from(known) / f64::from(total.max(1));
    (lead >= LEAST).then(|| Found {
        lang: evidence.langs[best],
        confidence: (1.0 - (-0.7 * lead).exp()) * (share / 0.2).min(1.0),
    })
}

/// A language by ISO 639-1 code, its words without which no text of ordinary length does, and
/// letters that give it away.
pub(super) const COMMON: &[(&str, &str, &str)] = &[
    (
        "en",
        "the of and to in is that it for was on are with as his they be at this have from or had by but not what all were we when your can said there an which she do their if will how about has been would who its he you i after than into also our could more out so no up my them these some me him her did just because over then only know like going don't it's i'm that's",
        "",
    ),
    (
        "de",
        "der die das und in zu den ist nicht von sie mit es ein dem sich auf für eine auch als an er hat nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur bis mehr durch man sein wurde wenn ich wir aus im des dass ihr mir mich du dir kein doch hier jetzt schon kann wieder alle immer was wer",
        "ßäöü",
    ),
    (
        "fr",
        "de la le et les des en un une du est que dans qui par pour au il sur pas plus ne se ce ont aux avec sont son été cette mais comme ou si leur nous vous elle ses même fait être deux je tout sa après était entre d l qu n c s j m y me te mon ma mes ton ta c'est j'ai l'a qu'il d'un d'une n'est très bien encore rien alors où aussi on peux",
        "çèêàùœëîô",
    ),
    (
        "es",
        "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin sobre este ya entre cuando todo esta ser son dos también fue había era muy hasta desde está mi porque qué han yo hay te nos eso esto así nada bien puede puedes otra vez",
        "ñ¿¡áíóú",
    ),
    (
        "it",
        "di e il la che in a per un è del non sono da una le con i si dei come al alla nel della lo gli anche più ma ha dal questo o su ai ci se mi delle nella degli era loro essere stato ho cosa quando dopo sua suo ancora l un perché così tutto molto cui chi hanno fa poi qui sì nessuno niente puoi",
        "èìòù",
    ),
    (
        "pt",
        "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ter seus quem nas me esse eles tinha você nada então minha meu disse pode",
        "ãõçâê",
    ),
    (
        "nl",
        "de het een en van in is dat op te zijn met voor niet aan er om ook als dan maar bij of uit nog door naar heeft hij ze wordt over tot was je ik we hun meer worden zich deze die had werd wat hebben kan dit geen zo mij jij jullie kun toch weer dus veel waar nu al hier u mijn niemand",
        "",
    ),
    (
        "sv",
        "och att det i en som är på för av med den till inte har de ett om vi jag men han var så från sig kan nu man efter när hade ska eller hon där mot också sin vid över vara år ut här blir skulle någon ha mycket alla mig dig du ingen vad bara igen",
        "åäö",
    ),
    (
        "da",
        "og at det i en som er på for af med den til ikke har de et om vi jeg men han var så fra sig kan nu man efter når havde skal eller hun der mod også sin ved over være år ud her bliver ville nogen hvor blev meget alle mig dig du ingen hvad kun igen mellem uden siger sagde",
        "æøå",
    ),
    (
        "nb",
        "og at det i en som er på for av med den til ikke har de et om vi jeg men han var så fra seg kan nå man etter når hadde skal eller hun der mot også sin ved over være år ut her blir ville noen hvor ble mye alle meg deg du ingen hva bare igjen mellom uten sier sa",
        "æøå",
    ),
    (
        "fi",
        "ja on ei se että oli hän ovat mutta joka kun niin myös kuin vain jo ole jos sen tai mukaan nyt voi mitä jotka tämä vielä minä ne koska olla kanssa sitä hänen sekä tämän ollut sitten siitä minun sinä mikä joten taas minulle kaikki kukaan hyvin",
        "äö",
    ),
    (
        "pl",
        "i w na z do nie się to że jest o jak po co za od ale przez a był tak dla już ich być może jego czy tylko są oraz przy ma tym które który tego jej ze było również także jako nad pod była gdy wszystko mi mnie ja więc znowu nikt bardzo",
        "łżśćńźęą",
    ),
    (
        "cs",
        "a v se na je že to s z do o i ve pro jsem ale by jako za od po co tak si podle které který jeho byl jsou jen už bude když nebo může také má jak při být ze však bylo ještě byla aby tím až mi mně jsme zase nikdo",
        "řěůščžý",
    ),
    (
        "tr",
        "ve bir bu da de için ile çok olarak daha o kadar gibi var ne sonra olan ama en ki değil mi ancak her şey şu ben biz sen olduğu oldu göre önce iki diye yok ya ise bunu kendi tarafından bana yine kimse",
        "ğışçı",
    ),
    (
        "ro",
        "și de în a la cu nu pe o un care din să că este mai pentru ce sunt au fost fi dar se am lui prin ca după până său sau când foarte acest această între ei cum tot era doar ale unei unui al mi din nou",
        "ățșî",
    ),
    (
        "hu",
        "a az és hogy nem is egy van meg ez csak már de mint volt azt még ki lehet vagy ha el kell minden el ezt aki majd csak szerint után között lesz amely pedig olyan nagyon sem ami így mert itt ott ezért megint",
        "őűáé",
    ),
    (
        "id",
        "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut bisa ada mereka lebih kata tahun sudah atau saat oleh menjadi orang ia telah adalah seperti sebagai bahwa dapat kami kita hanya lagi jadi",
        "",
    ),
    (
        "ca",
        "de la que i el a en les els per un una del al no es amb és va ser com més o però són ha seu seva aquest aquesta entre també ja fins quan molt hi sobre tot dels si perquè des on estat vam vaig anar tard altra vegada",
        "çàèò",
    ),
    (
        "ru",
        "и в не на что с по а как это он к но из за у то все так от его же для бы она они мы о был только ещё было или их до если при уже когда может после года также этого быть где даже который мне меня снова очень никто",
        "ыэё",
    ),
    (
        "uk",
        "і в не на що з та у до як за про це від але його він для по й вони так ми був вона було є або якщо при вже коли може після року також цього бути де навіть який щоб її їх під мені знову ніхто",
        "іїєґ",
    ),
    (
        "bg",
        "и на в да се от за с не по е че това са като ще до при но а след към тази този те той бе или има във със може как само още беше бъде което които който му ги из през година отново ние мен никой",
        "ъщ",
    ),
    (
        "sr",
        "и у је да се на са за од не а су по као што који али то из како би до или бити ће није само још био била све јер код него због смо сам па опет ми",
        "јљњћђџ",
    ),
];
