use super::canvas::Canvas;

/// Shifts the hue by `share` of the colour circle, from -0.5 to 0.5, in Pillow's 8-bit HSV. A grey image does not
/// change.
pub(super) fn shift_hue(canvas: &mut Canvas, share: f64) {
    let shift = (share * 255.0) as i32 as u8;
    if canvas.channels == 3 {
        for pixel in canvas.pixels.as_chunks_mut().0 {
            let [hue, saturation, value] = hsv(*pixel);
            *pixel = rgb([hue.wrapping_add(shift), saturation, value]);
        }
    }
}

/// Pillow's conversion from RGB, with its mixture of single and double precision.
fn hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let below = |channel: u8| f32::from(most - channel) / range;
    let (r, g, b) = (below(red), below(green), below(blue));
    let sector = if red == most {
        b - g
    } else if green == most {
        (2.0 + f64::from(r) - f64::from(b)) as f32
    } else {
        (4.0 + f64::from(g) - f64::from(r)) as f32
    };
    let turn = f64::from(sector) / 6.0 + 1.0;
    let hue = (if turn >= 1.0 { turn - 1.0 } else { turn }) as f32;
    let saturation = range / f32::from(most);
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, most]
}

/// Pillow's conversion to RGB.
fn rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let sector = f64::from(hue) * 6.0 / 255.0;
    let whole = sector as u8;
    let rest = f64::from((sector - f64::from(whole)) as f32);
    let s = f64::from((f64::from(saturation) / 255.0) as f32);
    let scaled = |share: f64| (f64::from(value) * (1.0 - share) + 0.5) as u8;
    let (p, q, t) = (scaled(s), scaled(s * rest), scaled(s * (1.0 - rest)));
    match whole % 6 {
        0 => [value, t, p],
        1 => [q, value, p],
        2 => [p, value, t],
        3 => [p, q, value],
        4 => [t, p, value],
        _ => [value, p, q],
    }
}
