//! What language detection promises.

use super::*;

#[test]
fn a_few_sentences_are_enough() {
    let cases = [
        (
            "en",
            "The council approved the budget on Tuesday after a long debate about schools and roads.",
        ),
        (
            "de",
            "Der Stadtrat hat am Dienstag nach langer Debatte den Haushalt für Schulen und Straßen beschlossen.",
        ),
        (
            "fr",
            "Le conseil municipal a adopté mardi le budget après un long débat sur les écoles et les routes.",
        ),
        (
            "es",
            "El ayuntamiento aprobó el martes el presupuesto tras un largo debate sobre escuelas y carreteras.",
        ),
        ("ru", "Городской совет во вторник одобрил бюджет после долгих споров о школах и дорогах."),
        ("ar", "وافق مجلس المدينة يوم الثلاثاء على الميزانية بعد نقاش طويل حول المدارس والطرق."),
    ];
    for (code, text) in cases {
        let language = detect(text);
        assert_eq!(language.code, code, "{text}");
        assert!(language.confidence >= 0.5, "{language:?}");
        assert_eq!(language.rtl, code == "ar");
    }
}

#[test]
fn too_little_text_says_nothing() {
    for text in ["", "ok", "42 - 17 = 25", "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂"]
    {
        assert_eq!(detect(text).code, "und", "{text}");
    }
}

#[test]
fn markup_and_names_do_not_hide_a_short_english_text() {
    let language =
        detect("The minister said *bold* [click](http://evil.example) in 2019 that he would not.");
    assert!(language.is_english(), "{language:?}");
}
