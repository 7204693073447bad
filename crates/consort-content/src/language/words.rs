//! The commonest function words of some languages. Written for this project.
//!
//! A few of them in a short text say more than its letter statistics do.

/// Languages by ISO 639-1 code, with words that no text of ordinary length does without.
pub(super) const COMMON: &[(&str, &str)] = &[
    (
        "en",
        "the of and to in is that it for was on are with as his they be at this have from or had by but not what all were we when your can said there an which she do their if will how about has been would who its he you i after than into also our could more out so no up my them these some",
    ),
    (
        "de",
        "der die das und in zu den ist nicht von sie mit es ein dem sich auf für eine auch als an er hat nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur bis mehr durch man sein wurde wenn ich wir aus im des dass ihr",
    ),
    (
        "fr",
        "de la le et les des en un une du est que dans qui par pour au il sur pas plus ne se ce ont aux avec sont son été cette mais comme ou si leur nous vous elle ses même fait être deux je tout sa après était entre d l qu n c s j",
    ),
    (
        "es",
        "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin sobre este ya entre cuando todo esta ser son dos también fue había era muy hasta desde está mi porque qué han yo hay",
    ),
    (
        "it",
        "di e il la che in a per un è del non sono da una le con i si dei come al alla nel della lo gli anche più ma ha dal questo o su ai ci se mi delle nella degli era loro essere stato ho cosa quando dopo sua suo ancora l un",
    ),
    (
        "pt",
        "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ter seus quem nas me esse eles",
    ),
    (
        "nl",
        "de het een en van in is dat op te zijn met voor niet aan er om ook als dan maar bij of uit nog door naar heeft hij ze wordt over tot was je ik we hun meer worden zich deze die had werd wat hebben kan dit geen zo",
    ),
    (
        "sv",
        "och att det i en som är på för av med den till inte har de ett om vi jag men han var så från sig kan nu man efter när hade ska eller hon där mot också sin vid över vara år ut här blir skulle någon ha mycket alla",
    ),
    (
        "da",
        "og at det i en som er på for af med den til ikke har de et om vi jeg men han var så fra sig kan nu man efter når havde skal eller hun der mod også sin ved over være år ud her bliver ville nogen hvor blev meget alle",
    ),
    (
        "nb",
        "og at det i en som er på for av med den til ikke har de et om vi jeg men han var så fra seg kan nå man etter når hadde skal eller hun der mot også sin ved over være år ut her blir ville noen hvor ble mye alle",
    ),
    (
        "fi",
        "ja on ei se että oli hän ovat mutta joka kun niin myös kuin vain jo ole jos sen tai mukaan nyt voi mitä jotka tämä vielä minä ne koska olla kanssa sitä hänen sekä tämän ollut sitten siitä minun sinä mikä",
    ),
    (
        "pl",
        "i w na z do nie się to że jest o jak po co za od ale przez a był tak dla już ich być może jego czy tylko są oraz przy ma tym które który tego jej ze było również także jako nad pod była gdy wszystko",
    ),
    (
        "cs",
        "a v se na je že to s z do o i ve pro jsem ale by jako za od po co tak si podle které který jeho byl jsou jen už bude když nebo může také má jak při být ze však bylo ještě byla aby tím až",
    ),
    (
        "tr",
        "ve bir bu da de için ile çok olarak daha o kadar gibi var ne sonra olan ama en ki değil mi ancak her şey şu ben biz sen olduğu oldu göre önce iki diye yok ya ise bunu kendi tarafından",
    ),
    (
        "ro",
        "și de în a la cu nu pe o un care din să că este mai pentru ce sunt au fost fi dar se am lui prin ca după până său sau când foarte acest această între ei cum tot era doar ale unei unui al",
    ),
    (
        "hu",
        "a az és hogy nem is egy van meg ez csak már de mint volt azt még ki lehet vagy ha el kell minden el ezt aki majd csak szerint után között lesz amely pedig olyan nagyon sem ami így mert itt ott",
    ),
    (
        "id",
        "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut bisa ada mereka lebih kata tahun sudah atau saat oleh menjadi orang ia telah adalah seperti sebagai bahwa dapat kami kita hanya",
    ),
    (
        "ca",
        "de la que i el a en les els per un una del al no es amb és va ser com més o però són ha seu seva aquest aquesta entre també ja fins quan molt hi sobre tot dels si perquè des on estat",
    ),
    (
        "ru",
        "и в не на что с по а как это он к но из за у то все так от его же для бы она они мы о был только ещё было или их до если при уже когда может после года также этого быть где даже который",
    ),
    (
        "uk",
        "і в не на що з та у до як за про це від але його він для по й вони так ми був вона було є або якщо при вже коли може після року також цього бути де навіть який щоб її їх під",
    ),
    (
        "bg",
        "и на в да се от за с не по е че това са като ще до при но а след към тази този те той бе или има във със може как само още беше бъде което които който му ги из през година",
    ),
];
