//! The tour's dataset, carried by the program: `fixtures/tour`, made by its `make.py`.

/// Path and content of every file.
pub(super) const FILES: &[(&str, &[u8])] = &[
    ("instructions.en.jsonl", include_bytes!("../../../fixtures/tour/instructions.en.jsonl")),
    ("instructions.zh.jsonl", include_bytes!("../../../fixtures/tour/instructions.zh.jsonl")),
    ("labels.csv", include_bytes!("../../../fixtures/tour/labels.csv")),
    ("images/000.png", include_bytes!("../../../fixtures/tour/images/000.png")),
    ("images/001.png", include_bytes!("../../../fixtures/tour/images/001.png")),
    ("images/002.png", include_bytes!("../../../fixtures/tour/images/002.png")),
    ("images/003.png", include_bytes!("../../../fixtures/tour/images/003.png")),
    ("images/004.png", include_bytes!("../../../fixtures/tour/images/004.png")),
    ("images/005.png", include_bytes!("../../../fixtures/tour/images/005.png")),
    ("images/006.png", include_bytes!("../../../fixtures/tour/images/006.png")),
    ("images/007.png", include_bytes!("../../../fixtures/tour/images/007.png")),
    ("images/008.png", include_bytes!("../../../fixtures/tour/images/008.png")),
    ("images/009.png", include_bytes!("../../../fixtures/tour/images/009.png")),
    ("images/010.png", include_bytes!("../../../fixtures/tour/images/010.png")),
    ("images/011.png", include_bytes!("../../../fixtures/tour/images/011.png")),
];
