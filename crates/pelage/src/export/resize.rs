//! Images of any size at the network's, inside the graph, as `Preprocessing::resize` makes them. ONNX has an operator
//! for that, which is off by 6 to 15 levels. Rows and then columns are multiplied by weights that the graph makes of
//! the image's size.

use pelage_data::preprocess::{Fit, Preprocessing, ResizeFilter};

use super::messages::{F32, I64};
use super::writer::{Writer, integer, integers};

/// Rows or columns: of the image, of what is taken of it, and of the result.
struct Side {
    /// Rows or columns of the image, as a number.
    length: String,
    /// Where the part that is taken begins.
    start: String,
    /// How long that is.
    span: String,
    /// Rows or columns of the result.
    wanted: usize,
}

/// Writes the nodes that turn `pixels`, `[n, rows, columns, 3]` of u8, into values of 0 to 255, `[n, 3, h, w]`.
pub(super) fn write(writer: &mut Writer, pixels: &str, preprocessing: &Preprocessing) -> String {
    let shape = writer.node("Shape", "pixels/shape", &[pixels], Vec::new());
    let lengths = cast(writer, "pixels/lengths", &shape, F32);
    let values = cast(writer, "pixels/values", pixels, F32);
    let mut image = writer.node(
        "Transpose",
        "pixels/channels_first",
        &[&values],
        vec![integers("perm", &[0, 3, 1, 2])],
    );
    let [rows, columns] = sides(writer, &lengths, preprocessing);
    // Columns are shortened first, and rounded to whole levels in between.
    for (name, axis, side) in [("rows", 2, rows), ("columns", 3, columns)] {
        let name = |part: &str| format!("{name}/{part}");
        let centers = centers(writer, &name, &side);
        if preprocessing.filter == ResizeFilter::Nearest {
            let nearest = writer.node("Floor", &name("floor"), &[&centers], Vec::new());
            let nearest = cast(writer, &name("nearest"), &nearest, I64);
            image = writer.node(
                "Gather",
                &name("resized"),
                &[&image, &nearest],
                vec![integer("axis", axis)],
            );
            continue;
        }
        let weights = weights(writer, &name, &side, &centers, preprocessing.filter);
        image = match axis {
            2 => writer.node("MatMul", &name("resized"), &[&weights, &image], Vec::new()),
            _ => {
                let turned = vec![integers("perm", &[1, 0])];
                let weights = writer.node("Transpose", &name("turned"), &[&weights], turned);
                writer.node("MatMul", &name("resized"), &[&image, &weights], Vec::new())
            }
        };
        image = levels(writer, &name, &image);
    }
    image
}

/// What is taken of an image whose shape is `lengths`.
fn sides(writer: &mut Writer, lengths: &str, preprocessing: &Preprocessing) -> [Side; 2] {
    let wanted = [preprocessing.height, preprocessing.width].map(|side| side as usize);
    let names = ["rows", "columns"];
    let lengths = [0, 1].map(|i| {
        // Axis 0 counts the images.
        let axis = writer.integers(&format!("{}/axis", names[i]), &[], &[i as i64 + 1]);
        let inputs = [lengths, &axis];
        writer.node(
            "Gather",
            &format!("{}/length", names[i]),
            &inputs,
            vec![integer("axis", 0)],
        )
    });
    if preprocessing.fit == Fit::Squash {
        return [0, 1].map(|i| Side {
            start: writer.numbers(&format!("{}/start", names[i]), &[], &[0.0]),
            span: lengths[i].clone(),
            length: lengths[i].clone(),
            wanted: wanted[i],
        });
    }
    // The largest middle part of the right shape.
    let scales = [0, 1].map(|i| {
        let sought = writer.numbers(&format!("{}/wanted", names[i]), &[], &[wanted[i] as f32]);
        writer.node(
            "Div",
            &format!("{}/scale", names[i]),
            &[&lengths[i], &sought],
            Vec::new(),
        )
    });
    let scale = writer.node("Min", "pixels/scale", &[&scales[0], &scales[1]], Vec::new());
    let two = writer.numbers("pixels/two", &[], &[2.0]);
    [0, 1].map(|i| {
        let name = |part: &str| format!("{}/{part}", names[i]);
        let span = writer.node("Mul", &name("span"), &[&scale, &name("wanted")], Vec::new());
        let rest = writer.node("Sub", &name("rest"), &[&lengths[i], &span], Vec::new());
        Side {
            start: writer.node("Div", &name("start"), &[&rest, &two], Vec::new()),
            span,
            length: lengths[i].clone(),
            wanted: wanted[i],
        }
    })
}

/// Where in the image the middle of each row or column of the result lies.
fn centers(writer: &mut Writer, name: &dyn Fn(&str) -> String, side: &Side) -> String {
    let halves: Vec<f32> = (0..side.wanted).map(|i| i as f32 + 0.5).collect();
    let halves = writer.numbers(&name("halves"), &[side.wanted], &halves);
    let count = writer.numbers(&name("count"), &[], &[side.wanted as f32]);
    // Multiplied first: what is a whole number then is one exactly.
    let far = writer.node("Mul", &name("far"), &[&halves, &side.span], Vec::new());
    let near = writer.node("Div", &name("near"), &[&far, &count], Vec::new());
    writer.node("Add", &name("centers"), &[&near, &side.start], Vec::new())
}

/// The weight of each row or column of the image in each one of the result, `[wanted, length]`.
fn weights(
    writer: &mut Writer,
    name: &dyn Fn(&str) -> String,
    side: &Side,
    centers: &str,
    filter: ResizeFilter,
) -> String {
    let [zero, half, one] =
        [("zero", 0.0), ("half", 0.5), ("one", 1.0)].map(|(part, value)| writer.numbers(&name(part), &[], &[value]));
    let column = writer.integers(&name("column"), &[2], &[-1, 1]);
    let centers = writer.node("Reshape", &name("centers_down"), &[centers, &column], Vec::new());
    let first = writer.node("Range", &name("first"), &[&zero, &side.length, &one], Vec::new());
    let places = writer.node("Add", &name("places"), &[&first, &half], Vec::new());
    let apart = writer.node("Sub", &name("apart"), &[&places, &centers], Vec::new());
    let apart = writer.node("Abs", &name("distance"), &[&apart], Vec::new());
    // Shrinking widens the filter: that is what antialiasing is.
    let count = name("count");
    let step = writer.node("Div", &name("step"), &[&side.span, &count], Vec::new());
    let width = writer.node("Max", &name("width"), &[&step, &one], Vec::new());
    let distance = writer.node("Div", &name("scaled"), &[&apart, &width], Vec::new());
    let weights = filtered(writer, name, &distance, filter);
    let sums = vec![integers("axes", &[1]), integer("keepdims", 1)];
    let sums = writer.node("ReduceSum", &name("sums"), &[&weights], sums);
    writer.node("Div", &name("weights"), &[&weights, &sums], Vec::new())
}

/// A filter's value at each distance of 0 or more.
fn filtered(writer: &mut Writer, name: &dyn Fn(&str) -> String, distance: &str, filter: ResizeFilter) -> String {
    let one = name("one");
    match filter {
        // Chosen before there are weights.
        ResizeFilter::Nearest => distance.to_string(),
        ResizeFilter::Bilinear => {
            let triangle = writer.node("Sub", &name("triangle"), &[&one, distance], Vec::new());
            writer.node("Relu", &name("filter"), &[&triangle], Vec::new())
        }
        // Catmull and Rom 1974: one polynomial up to 1, another from there to 2.
        ResizeFilter::Bicubic => {
            let two = writer.numbers(&name("two"), &[], &[2.0]);
            let x = writer.node("Clip", &name("within"), &[distance, &name("zero"), &two], Vec::new());
            let near = polynomial(writer, &|part| name(&format!("near_{part}")), &x, [1.5, -2.5, 0.0, 1.0]);
            let far = polynomial(writer, &|part| name(&format!("far_{part}")), &x, [-0.5, 2.5, -4.0, 2.0]);
            let is_near = writer.node("Less", &name("is_near"), &[&x, &one], Vec::new());
            writer.node("Where", &name("filter"), &[&is_near, &near, &far], Vec::new())
        }
        // sinc(x) sinc(x / 3); at the first of these limits it is 1 within rounding, at the other 0.
        ResizeFilter::Lanczos3 => {
            let limits = [("least", 1e-4), ("most", 3.0)];
            let [least, most] = limits.map(|(part, value)| writer.numbers(&name(part), &[], &[value]));
            let x = writer.node("Clip", &name("within"), &[distance, &least, &most], Vec::new());
            let [wide, narrow] = [("wide", 1.0), ("narrow", 3.0)].map(|(part, over)| {
                let factor = writer.numbers(&name(&format!("{part}_pi")), &[], &[std::f32::consts::PI / over]);
                let angle = writer.node("Mul", &name(&format!("{part}_angle")), &[&x, &factor], Vec::new());
                let sine = writer.node("Sin", &name(&format!("{part}_sine")), &[&angle], Vec::new());
                writer.node("Div", &name(part), &[&sine, &angle], Vec::new())
            });
            writer.node("Mul", &name("filter"), &[&wide, &narrow], Vec::new())
        }
    }
}

/// A polynomial of the third degree, highest power first.
fn polynomial(writer: &mut Writer, name: &dyn Fn(&str) -> String, x: &str, coefficients: [f32; 4]) -> String {
    let mut value = writer.numbers(&name("a"), &[], &coefficients[..1]);
    for (power, &coefficient) in ["b", "c", "d"].into_iter().zip(&coefficients[1..]) {
        let product = writer.node("Mul", &name(&format!("{power}_product")), &[&value, x], Vec::new());
        let coefficient = writer.numbers(&name(power), &[], &[coefficient]);
        value = writer.node(
            "Add",
            &name(&format!("{power}_sum")),
            &[&product, &coefficient],
            Vec::new(),
        );
    }
    value
}

/// Values as whole levels of 0 to 255.
fn levels(writer: &mut Writer, name: &dyn Fn(&str) -> String, values: &str) -> String {
    let most = writer.numbers(&name("white"), &[], &[255.0]);
    let raised = writer.node("Add", &name("raised"), &[values, &name("half")], Vec::new());
    let whole = writer.node("Floor", &name("whole"), &[&raised], Vec::new());
    writer.node("Clip", &name("levels"), &[&whole, &name("zero"), &most], Vec::new())
}

fn cast(writer: &mut Writer, name: &str, value: &str, to: i32) -> String {
    writer.node("Cast", name, &[value], vec![integer("to", to as usize)])
}
