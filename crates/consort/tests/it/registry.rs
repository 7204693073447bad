//! The picture of layers and registered orchestrators in the documentation is generated from the
//! registry.

use consort::{Consort, core::Layer};

#[tokio::test]
async fn the_picture_of_the_registry_is_fresh() {
    let consort = Consort::builder().build().await.expect("an engine in memory");
    let mut text = String::from(
        "# Registered orchestrators and capabilities\n\nGenerated from the registry. Calls go down or sideways; signals go up.\n\n```mermaid\nflowchart TB\n",
    );
    for layer in Layer::ALL {
        let all = consort.facade().by_layer(layer);
        text += &format!("  subgraph {layer}\n");
        if all.is_empty() {
            text += &format!("    {layer}_none[\"none yet\"]\n");
        }
        for one in all {
            text += &format!("    {0}[\"{0} {1}<br/>{2}\"]\n", one.name, one.version, one.kind);
        }
        text += "  end\n";
    }
    text += "  domain --> application --> infrastructure\n```\n\n";
    text += "| name | version | layer or effect | purpose |\n|---|---|---|---|\n";
    for one in consort.facade().list() {
        text +=
            &format!("| `{}` | {} | {} | {} |\n", one.name, one.version, one.layer, one.purpose);
    }
    for one in consort.facade().capabilities() {
        let effect = one.effect.name();
        text += &format!("| `{}` | {} | {effect} | {} |\n", one.name, one.version, one.purpose);
    }
    consort.close().await.expect("nothing is open");

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/registry.md");
    let published = std::fs::read_to_string(path).unwrap_or_default();
    if published != text {
        std::fs::write(path, &text).expect("docs/ is writable");
        panic!("docs/registry.md was out of date; it has been written anew, commit it");
    }
}
