use super::canvas::Canvas;

/// Blackens the square of side `length` around a centre, as far as it lies in the image. Rows are
/// centre - floor(length / 2) up to centre + floor(length / 2), exclusive; columns likewise.
pub(super) fn cutout(canvas: &mut Canvas, (row, column): (usize, usize), length: usize) {
    let Canvas { channels, height, width, .. } = *canvas;
    let hole = |centre: usize, side: usize| centre.saturating_sub(length / 2)..side.min(centre + length / 2);
    let (rows, columns) = (hole(row, height), hole(column, width));
    for row in canvas.pixels.chunks_exact_mut(width * channels).skip(rows.start).take(rows.len()) {
        row[columns.start * channels..columns.end * channels].fill(0);
    }
}
