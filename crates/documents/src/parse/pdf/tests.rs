use super::*;
use crate::document::BlockKind;

/// A PDF of objects, numbered from 1; the first is the catalogue.
fn pdf(objects: &[String]) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n{object}\nendobj\n", index + 1).into_bytes());
    }
    let xref = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).into_bytes());
    for offset in offsets {
        file.extend(format!("{offset:010} 00000 n \n").into_bytes());
    }
    let trailer =
        format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{xref}\n%%EOF\n", objects.len() + 1);
    file.extend(trailer.into_bytes());
    file
}

/// A PDF of pages with Helvetica as `/F1`, each with its drawing instructions.
pub(crate) fn pages(contents: &[&str]) -> Vec<u8> {
    let kids: Vec<_> = (0..contents.len()).map(|page| format!("{} 0 R", 4 + 2 * page)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), contents.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    for (page, content) in contents.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> \
             /XObject << /X {} 0 R >> >> >>",
            5 + 2 * page,
            5 + 2 * page
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    pdf(&objects)
}

fn text(size: u32, y: u32, line: &str) -> String {
    format!("BT /F1 {size} Tf 72 {y} Td ({line}) Tj ET\n")
}

fn read_pages(contents: &[&str]) -> ParsedDocument {
    parse(&pages(contents), &Limits::default()).expect("text")
}

#[test]
fn lines_become_paragraphs_and_large_ones_headings() {
    let page = [
        text(20, 780, "The heading"),
        text(11, 740, "The first paragraph has a line that is long, with an impor-"),
        text(11, 726, "tant word that was parted, and ends here."),
        text(11, 700, "The second paragraph stands below a gap and has some more"),
        text(11, 686, "words so that it is the text of this page and no heading."),
        text(11, 660, "- An item of a list"),
        text(11, 646, "- Another item"),
    ]
    .concat();
    let document = read_pages(&[&page]);
    assert_eq!(document.title.as_deref(), Some("The heading"));
    assert_eq!(
        document.text,
        "The heading\n\nThe first paragraph has a line that is long, with an important word that was parted, and ends \
         here.\n\nThe second paragraph stands below a gap and has some more words so that it is the text of this page and \
         no heading.\n\n- An item of a list\n- Another item"
    );
    assert_eq!(document.blocks[0].kind, BlockKind::Heading(1));
    assert_eq!(*document.blocks[1].headings, ["The heading"]);
}

#[test]
fn running_titles_and_page_numbers_are_left_out_and_paragraphs_go_over_pages() {
    let page = |number: u32, line: &str| {
        [text(9, 820, "Annual report"), text(11, 700, line), text(9, 30, &format!("Page {number} of 4"))]
            .concat()
    };
    let contents = [
        page(1, "A sentence that begins on one page and goes"),
        page(2, "on at the next. It ends."),
        page(3, "Third page here."),
        page(4, "Fourth page, different."),
    ];
    let document = read_pages(&contents.each_ref().map(String::as_str));
    assert_eq!(
        document.text,
        "A sentence that begins on one page and goes on at the next. It ends.\n\nThird page here.\n\nFourth page, different."
    );
}

#[test]
fn spaces_by_displacement_are_spaces() {
    let document = read_pages(&["BT /F1 12 Tf 72 700 Td [(Two)-300(words)-20(!)] TJ ET"]);
    assert_eq!(document.text, "Two words!");
}

#[test]
fn a_pdf_without_text_asks_for_ocr() {
    let error = parse(&pages(&["0 0 100 100 re f"]), &Limits::default()).expect_err("no text");
    assert_eq!(error.code(), "no_text");
    assert!(error.to_string().contains("OCR"), "{error}");
}

#[test]
fn a_password_is_named_as_the_reason() {
    let file = String::from_utf8(pages(&["BT ET"])).expect("text");
    let encryption = format!(
        "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{0}> /U <{0}> >> /ID [<00> <00>] /Root",
        "ab".repeat(32)
    );
    let error =
        parse(file.replace("/Root", &encryption).as_bytes(), &Limits::default()).expect_err("encrypted");
    assert_eq!(error.code(), "encrypted");
}

#[test]
fn damaged_files_are_repaired_or_refused() {
    let whole = pages(&[&text(11, 700, "Some text of a page.")]);
    let no_table = &whole[..whole.windows(4).rposition(|window| window == b"xref").expect("a table") - 20];
    assert_eq!(parse(no_table, &Limits::default()).expect("repaired").text, "Some text of a page.");
    for length in [8, 40, 100] {
        let error = parse(&whole[..length], &Limits::default()).expect_err("cut off");
        assert_eq!(error.code(), "corrupt", "{length}");
    }
}

#[test]
fn limits_end_the_reading() {
    let limits = Limits { max_pages: 1, ..Limits::default() };
    assert_eq!(parse(&pages(&["", ""]), &limits).expect_err("pages").code(), "too_complex");
    let limits = Limits { max_text_bytes: 30, ..Limits::default() };
    let long = text(11, 700, &"words ".repeat(20));
    assert_eq!(parse(&pages(&[&long]), &limits).expect_err("text").code(), "too_much_text");
    let limits = Limits { max_unpacked_bytes: 3_000, ..Limits::default() };
    let shared = " ".repeat(1_000);
    assert_eq!(parse(&pages(&[shared.as_str(); 4]), &limits).expect_err("pages").code(), "archive_bomb");
}

#[test]
fn forms_that_draw_each_other_end_by_the_allowance() {
    // Each form draws the next one ten times: ten to the power of twelve in all.
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>".to_owned(),
        "<< /Length 5 >>\nstream\n/X Do\nendstream".to_owned(),
    ];
    for form in 0..12 {
        let content = "/X Do ".repeat(10);
        objects.push(format!(
            "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X {} 0 R >> >> /Length {} >>\nstream\n{content}\nendstream",
            6 + form,
            content.len()
        ));
    }
    let largest = usize::MAX;
    let limits = Limits::default();
    let file = pdf(&objects);
    let result = thread::scope(|scope| scope.spawn(|| read(&file, largest, &limits)).join());
    let panic = result.expect_err("stopped");
    assert_eq!(glyphs::stopped(panic.as_ref()).code(), "too_complex");
}

#[test]
fn hostile_structures_are_no_recursion() {
    let deep = "[".repeat(200_000);
    let dictionaries = "<</a".repeat(200_000);
    for content in [deep.as_str(), dictionaries.as_str(), &"q ".repeat(200_000), &"(".repeat(200_000)] {
        let bytes = pages(&[content]);
        let _ = parse(&bytes, &Limits::default());
        let _ = parse(format!("%PDF-1.7\n1 0 obj {content}").as_bytes(), &Limits::default());
    }
    // A page that draws itself.
    let _ = parse(&pages(&["/X Do"]), &Limits::default());
}

#[test]
fn titles_that_programs_left_behind_are_not_titles() {
    assert_eq!(title(b"\xfe\xff\0A\0 \0T\0i\0t\0l\0e").as_deref(), Some("A Title"));
    assert_eq!(title(b"Caf\xe9").as_deref(), Some("Café"));
    assert_eq!(title(b"Microsoft Word - draft.doc"), None);
    assert_eq!(title(b"report_final.indd"), None);
    assert_eq!(title(b"  "), None);
}
