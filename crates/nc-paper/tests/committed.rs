//! The records that are kept with the code.

use std::path::Path;

use nc_paper::{PaperFigure, PaperTable, Records, Scale, fill_figures, fill_tables};

#[test]
fn committed_records_can_be_read_and_are_found_from_the_tables() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results");
    let mut shown = 0;
    for scale in [Scale::Quick, Scale::Paper] {
        let records = Records::read(&results, scale).unwrap();
        fill_figures(&PaperFigure::all().unwrap(), &records, scale).unwrap();
        for table in fill_tables(&PaperTable::all().unwrap(), &records, scale).unwrap() {
            for run in table.rows.iter().flat_map(|row| &row.cells).flat_map(|cell| &cell.runs) {
                assert!(results.join(&run.provenance.record).is_file(), "{}", run.provenance.record);
                shown += 1;
            }
        }
    }
    assert!(shown > 0);
}
