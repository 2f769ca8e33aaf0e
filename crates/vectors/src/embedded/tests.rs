use super::*;

mod conformance {
    use super::*;

    async fn make() -> (tempfile::TempDir, EmbeddedIndex) {
        let folder = tempfile::tempdir().unwrap();
        // Small enough that the tests reach every form that a segment can take.
        let options =
            EmbeddedOptions { loose_points: NonZeroUsize::new(200).unwrap(), ..EmbeddedOptions::default() };
        let index = EmbeddedIndex::new(folder.path(), options).unwrap();
        (folder, index)
    }

    crate::conformance_tests!(make());
}
