//! C10: there is one facade, and what is public is written down in `api.txt`.

use std::{collections::BTreeSet, fs, path::Path};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// A public declaration as the sources have it.
#[derive(Debug)]
struct Declaration {
    /// The item itself, or the type or trait that a function belongs to.
    item: String,
    /// On one line, without body, bounds and value.
    text: String,
    member: bool,
}

/// Inside what a line stands.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    Impl,
    Trait,
    Struct,
    Enum,
}

impl Block {
    /// True for a line, one level in, that declares something public.
    fn declares(self, line: &str) -> bool {
        let function = ["fn ", "const ", "type "].iter().any(|word| line.starts_with(word));
        match self {
            Self::Impl | Self::Struct => line.starts_with("pub "),
            Self::Trait => function,
            Self::Enum => line.starts_with(|first: char| first.is_ascii_uppercase()),
        }
    }
}

/// What a file declares as public: free items, fields and variants, and functions of inherent
/// impls and of traits. Relies on the layout that rustfmt gives; what a macro declares is not seen.
fn declarations(text: &str) -> Vec<Declaration> {
    let (mut found, mut within) = (Vec::new(), None::<(Block, String)>);
    let mut lines = text.lines().take_while(|line| *line != "mod tests {");
    while let Some(line) = lines.next() {
        if let Some(of) = line.strip_prefix("impl").filter(|_| !line.contains(" for ")) {
            let of = of.split_once("> ").map_or(of, |(_, of)| of).trim();
            within = of.split(['<', ' ']).next().map(|of| (Block::Impl, of.to_owned()));
        } else if line == "}" {
            within = None;
        }
        let indented = line.starts_with("    ") && !line.starts_with("     ");
        let public = line.trim_start();
        let item = line.starts_with("pub ") && !line.starts_with("pub use ");
        let member = within.as_ref().filter(|(block, _)| indented && block.declares(public));
        if !item && member.is_none() {
            continue;
        }
        let mut whole = public.to_owned();
        let flat = member.is_some_and(|(block, _)| matches!(block, Block::Struct | Block::Enum));
        while !(whole.ends_with(['{', ';', '}']) || flat && whole.ends_with(',')) {
            let Some(next) = lines.next() else { break };
            whole = format!("{whole} {}", next.trim());
        }
        let text = shorten(&whole);
        let (owner, member) = match member {
            Some((_, owner)) => (owner.clone(), true),
            None => (name_of(&text), false),
        };
        let opens = [("trait", Block::Trait), ("struct", Block::Struct), ("enum", Block::Enum)];
        let opened = opens.iter().find(|(word, _)| text.starts_with(&format!("pub {word} ")));
        if let Some((_, block)) = opened.filter(|_| item && whole.ends_with('{')) {
            within = Some((*block, owner.clone()));
        }
        found.push(Declaration { item: owner, text, member });
    }
    found
}

/// Without its body, `where` clause, value, private fields and layout.
fn shorten(text: &str) -> String {
    let text = text.split(" where ").next().unwrap();
    let valued = ["pub const ", "const ", "pub type ", "type "];
    let text = match valued.iter().any(|word| text.starts_with(word)) && !text.contains("fn ") {
        true => text.split(" = ").next().unwrap(),
        false => text,
    };
    let text = match text.starts_with("pub struct ") && !text.contains("(pub ") {
        true => text.split('(').next().unwrap(),
        false => text,
    };
    let text = text.trim_end_matches(['{', ';', '}', ' ', ',']);
    text.replace("( ", "(").replace(", )", ")")
}

fn name_of(declaration: &str) -> String {
    let keywords = ["pub", "struct", "enum", "trait", "fn", "async", "const", "type", "mod"];
    let mut words = declaration.split([' ', '<', '(', ':', ';']).filter(|word| !word.is_empty());
    words.find(|word| !keywords.contains(word)).unwrap().to_owned()
}

/// Names that `lib.rs` re-exports at the root, and modules that it opens.
fn exports(lib: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let joined = lib.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let (mut names, mut modules) = (BTreeSet::new(), BTreeSet::new());
    for statement in joined.split(';').map(str::trim) {
        if let Some((_, module)) = statement.split_once("pub mod ") {
            modules.insert(module.to_owned());
        } else if let Some((_, path)) = statement.split_once("pub use ") {
            let list = path.rsplit_once("::").map_or(path, |(_, last)| last);
            let list = list.trim_matches(['{', '}']).split(',').map(str::trim);
            names.extend(list.filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    (names, modules)
}

/// One line per public declaration that can be reached from outside, sorted.
fn public_api() -> BTreeSet<String> {
    let lib = fs::read_to_string(Path::new(SOURCES).join("lib.rs")).unwrap();
    let (names, modules) = exports(&lib);
    let mut api = BTreeSet::new();
    super::each_source(Path::new(SOURCES), &mut |path, text| {
        let module = path.trim_end_matches(".rs");
        for Declaration { item, text, member } in declarations(text) {
            // Items of private modules are public only where the root re-exports them.
            let place = match (names.contains(&item), modules.contains(module)) {
                (true, _) => item,
                (false, true) => format!("{module}::{item}"),
                (false, false) => continue,
            };
            api.insert(if member {
                format!("{place}: {text}")
            } else {
                format!("{place} = {text}")
            });
        }
    });
    // Macros and other crates leave no declaration to be read.
    for name in names {
        let declared = format!("{name} = ");
        if !api.iter().any(|line| line.starts_with(&declared)) {
            api.insert(format!("{name} at the root"));
        }
    }
    api
}

#[test]
fn c10_the_public_interface_is_what_is_written_down() {
    let actual: String = public_api().into_iter().map(|line| line + "\n").collect();
    let expected = include_str!("api.txt");
    if actual == expected {
        return;
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("api.txt");
    fs::write(&kept, &actual).unwrap();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (now, then) = (lines(&actual), lines(expected));
    let (gone, new): (Vec<_>, Vec<_>) =
        (then.difference(&now).collect(), now.difference(&then).collect());
    panic!(
        "the public interface has changed\ngone: {gone:#?}\nnew: {new:#?}\n\
         if that is meant, copy {} over tests/it/defects/api.txt",
        kept.display()
    );
}

#[test]
fn c10_there_is_one_facade() {
    let facades: Vec<String> =
        public_api().into_iter().filter(|line| line.contains("= pub struct Facade")).collect();
    assert_eq!(facades, ["Facade = pub struct Facade", "FacadeBuilder = pub struct FacadeBuilder"]);
}
