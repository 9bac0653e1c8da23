//! Tokens and attention as nodes of an ONNX graph, channels first: a row of tokens is a map of one row.

use pelage_model::networks::positions::beside_patches;

use super::writer::{Writer, integer, integers, part, slice};

/// A map `[n, c, h, w]` as a row `[n, c, 1, 1 + h * w]` with its positions and, before it, the token `first` `[c]`.
pub(super) fn tokens(
    writer: &mut Writer,
    name: &str,
    x: &str,
    (positions, grid): (&[f32], usize),
    first: &[f32],
    [h, w]: [usize; 2],
) -> String {
    let (channels, count) = (first.len(), 1 + h * w);
    let beside = beside_patches(first, positions, grid, [h, w]);
    let added = (0..channels).flat_map(|channel| beside[channel..].iter().step_by(channels).copied());
    let added = writer.numbers(
        &part(name, "positions"),
        &[1, channels, 1, count],
        &added.collect::<Vec<_>>(),
    );
    let row = reshape(writer, &part(name, "row"), x, &[0, channels as i64, 1, (h * w) as i64]);
    // As many empty tokens as there are images.
    let zero = writer.numbers(&part(name, "zero"), &[], &[0.0]);
    let one = writer.node("GlobalAveragePool", &part(name, "one"), &[&row], Vec::new());
    let empty = writer.node("Mul", &part(name, "empty"), &[&one, &zero], Vec::new());
    let all = writer.node("Concat", &part(name, "all"), &[&empty, &row], vec![integer("axis", 3)]);
    writer.node("Add", name, &[&all, &added], Vec::new())
}

/// Attention among the tokens of a row `[n, 3 * c, 1, t]`: `[n, c, 1, t]`.
pub(super) fn attention(
    writer: &mut Writer,
    name: &str,
    x: &str,
    heads: usize,
    [channels, tokens]: [usize; 2],
) -> String {
    let depth = channels / heads;
    let shape = [0, 3 * heads as i64, depth as i64, tokens as i64];
    let parts = reshape(writer, &part(name, "parts"), x, &shape);
    let [queries, keys, values] = [("queries", 0), ("keys", 1), ("values", 2)]
        .map(|(kind, i)| slice(writer, &part(name, kind), &parts, 1, [i * heads, (i + 1) * heads]));
    let turn = || vec![integers("perm", &[0, 1, 3, 2])];
    let rows = writer.node("Transpose", &part(name, "rows"), &[&queries], turn());
    let products = writer.node("MatMul", &part(name, "products"), &[&rows, &keys], Vec::new());
    let scale = writer.numbers(&part(name, "scale"), &[], &[1.0 / (depth as f32).sqrt()]);
    let scores = writer.node("Mul", &part(name, "scores"), &[&products, &scale], Vec::new());
    let shares = writer.node("Softmax", &part(name, "shares"), &[&scores], vec![integer("axis", 3)]);
    let columns = writer.node("Transpose", &part(name, "columns"), &[&shares], turn());
    let weighed = writer.node("MatMul", &part(name, "weighed"), &[&values, &columns], Vec::new());
    reshape(writer, name, &weighed, &[0, channels as i64, 1, tokens as i64])
}

/// The first of a row of tokens, `[n, c, 1, 1]`.
pub(super) fn first(writer: &mut Writer, name: &str, x: &str) -> String {
    slice(writer, name, x, 3, [0, 1])
}

fn reshape(writer: &mut Writer, name: &str, x: &str, shape: &[i64]) -> String {
    let shape = writer.integers(&part(name, "shape"), &[shape.len()], shape);
    writer.node("Reshape", name, &[x, &shape], Vec::new())
}
