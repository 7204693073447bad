//! A domain orchestrator: durable and stateless. It awaits nothing but steps, some of them side by
//! side, and asks another orchestrator for part of the work.

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Count {
    text: String,
}

impl Request for Count {
    const CALLEE: &'static str = "count_words";
    type Response = u64;
}

struct Counter;

impl Capability for Counter {
    type Request = Count;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new("count_words").expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Pure,
            recompute: false,
            purpose: "Counts words".into(),
        }
    }

    async fn invoke(&self, cx: &StepContext, request: Count) -> StepResult<u64> {
        // Long work on the processor belongs off the threads that answer calls.
        let count = move || request.text.split_whitespace().count() as u64;
        Ok(Outcome::succeeded(cx.blocking(count).await?))
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Chapter {
    paragraphs: Vec<String>,
}

impl Request for Chapter {
    const CALLEE: &'static str = "chapter";
    type Response = u64;
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Book {
    chapters: Vec<Vec<String>>,
}

impl Request for Book {
    const CALLEE: &'static str = "book";
    type Response = u64;
}

fn descriptor(name: &str, kind: Kind) -> Descriptor {
    Descriptor {
        name: Name::new(name).expect("a valid name"),
        version: Version::new(1, 0, 0),
        layer: Layer::Domain,
        kind,
        durability: Durability::Durable,
        purpose: "Counts the words of a text".into(),
    }
}

struct Chapters;

impl Orchestrator for Chapters {
    type Request = Chapter;

    fn descriptor(&self) -> Descriptor {
        descriptor("chapter", Kind::Parallel)
    }

    async fn orchestrate(&self, cx: &Context, request: Chapter) -> StepResult<u64> {
        // Each step is issued when its call is made: all run side by side.
        let counts: Vec<_> =
            request.paragraphs.into_iter().map(|text| cx.call(Count { text }).value()).collect();
        let mut words = 0;
        for count in counts {
            words += count.await?;
        }
        Ok(Outcome::succeeded(words))
    }
}

struct Books;

impl Orchestrator for Books {
    type Request = Book;

    fn descriptor(&self) -> Descriptor {
        descriptor("book", Kind::Hierarchical)
    }

    async fn orchestrate(&self, cx: &Context, request: Book) -> StepResult<u64> {
        let mut words = 0;
        for paragraphs in request.chapters {
            // A child: a run of its own, with its own branch of the record.
            words += cx.call(Chapter { paragraphs }).value().await?;
        }
        Ok(Outcome::succeeded(words))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let consort = Consort::builder()
        .capability(Counter)
        .orchestrator(Chapters)
        .orchestrator(Books)
        .build()
        .await?;
    let chapters = vec![vec!["Call me".into(), "Ishmael".into()], vec!["The end".into()]];
    let words = consort.facade().call(Context::default(), Book { chapters }).await?;
    assert_eq!(words.value(), Some(&5));
    consort.close().await?;
    Ok(())
}
