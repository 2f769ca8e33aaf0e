//! Gradient-boosted regression trees, small enough to ship as a data file: training and evaluation.
//!
//! The target is the logarithm of a ratio (measured to predicted by physics). The loss is the relative error
//! `|predicted / measured − 1|`: each round fits a tree to its gradient and sets every leaf to the minimum of the loss,
//! a weighted median, so that single wild measurements do not pull it (Friedman, "Greedy function approximation",
//! 2001, section 4.3). Columns are cut into at most 64 bins.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

const MOST_BINS: usize = 64;

/// How trees are grown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Growth {
    /// Boosting rounds.
    pub(crate) rounds: usize,
    /// Share of each leaf's value that is added.
    pub(crate) rate: f64,
    /// Leaves of a tree.
    pub(crate) leaves: usize,
    /// Fewest rows of a leaf.
    pub(crate) fewest_rows: usize,
    /// Share of the rows that a tree sees.
    pub(crate) row_share: f64,
    /// Share of the columns that a tree sees.
    pub(crate) column_share: f64,
}

/// A trained sum of trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forest {
    start: f32,
    trees: Vec<Tree>,
}

/// One tree. A node without a column is a leaf; otherwise rows with `x[column] <= value` go to the next node, others to
/// node `other`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "TreeDocument", into = "TreeDocument")]
struct Tree {
    nodes: Vec<TreeNode>,
}

/// A node, packed so that a walk through a tree touches little memory.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TreeNode {
    /// −1 in a leaf.
    column: i16,
    other: u16,
    value: f32,
}

/// A tree as parallel arrays, which is shorter in a file.
#[derive(Clone, Serialize, Deserialize)]
struct TreeDocument {
    #[serde(rename = "c")]
    column: Vec<i16>,
    #[serde(rename = "v")]
    value: Vec<f32>,
    #[serde(rename = "o")]
    other: Vec<u16>,
}

impl From<TreeDocument> for Tree {
    fn from(document: TreeDocument) -> Tree {
        let parts = document.column.into_iter().zip(document.other).zip(document.value);
        Tree { nodes: parts.map(|((column, other), value)| TreeNode { column, other, value }).collect() }
    }
}

impl From<Tree> for TreeDocument {
    fn from(tree: Tree) -> TreeDocument {
        TreeDocument {
            column: tree.nodes.iter().map(|node| node.column).collect(),
            value: tree.nodes.iter().map(|node| node.value).collect(),
            other: tree.nodes.iter().map(|node| node.other).collect(),
        }
    }
}

impl Tree {
    fn value_of(&self, row: &[f32]) -> f32 {
        let mut place = 0;
        // Nodes only point forward, so this ends; a damaged file that points backward stops after as many steps.
        for _ in 0..=self.nodes.len() {
            let Some(node) = self.nodes.get(place) else { return 0.0 };
            let Ok(column) = usize::try_from(node.column) else { return node.value };
            let here = row.get(column).copied().unwrap_or(0.0);
            place = if here <= node.value { place + 1 } else { usize::from(node.other) };
        }
        0.0
    }
}

impl Forest {
    /// The predicted logarithm for one row of columns.
    pub(crate) fn value_of(&self, row: &[f32]) -> f64 {
        f64::from(self.start) + self.trees.iter().map(|tree| f64::from(tree.value_of(row))).sum::<f64>()
    }

    /// Trains on `rows` (all of one length) and their `targets`.
    pub(crate) fn train(rows: &[Vec<f32>], targets: &[f64], growth: Growth, seed: u64) -> Forest {
        let everything: Vec<usize> = (0..rows.len()).collect();
        let start = weighted_median(&everything, targets, &vec![1.0; rows.len()]);
        let bins = Bins::of(rows);
        let mut rng = Rng::with_seed(seed);
        let mut errors: Vec<f64> = targets.iter().map(|target| target - start).collect();
        let mut trees = Vec::with_capacity(growth.rounds);
        for _ in 0..growth.rounds {
            let chosen: Vec<usize> =
                everything.iter().copied().filter(|_| rng.f64() < growth.row_share).collect();
            let columns: Vec<usize> =
                (0..bins.edges.len()).filter(|_| rng.f64() < growth.column_share).collect();
            // An estimate that is too high by a factor costs that factor, one too low costs at most 1.
            let weights: Vec<f64> = errors.iter().map(|error| (-error).exp().clamp(0.25, 4.0)).collect();
            let mut builder = Grower {
                bins: &bins,
                errors: &errors,
                weights: &weights,
                columns: &columns,
                growth,
                nodes: Vec::new(),
            };
            let tree = builder.grow(chosen);
            for (row, error) in rows.iter().zip(&mut errors) {
                *error -= f64::from(tree.value_of(row));
            }
            trees.push(tree);
        }
        Forest { start: start as f32, trees }
    }
}

/// Columns cut into ordered bins.
struct Bins {
    /// Upper edges of all bins but the last, by column.
    edges: Vec<Vec<f32>>,
    /// Bin of every row, by column.
    codes: Vec<Vec<u8>>,
}

impl Bins {
    fn of(rows: &[Vec<f32>]) -> Bins {
        let width = rows.first().map_or(0, Vec::len);
        let mut edges = Vec::with_capacity(width);
        let mut codes = Vec::with_capacity(width);
        for column in 0..width {
            let mut values: Vec<f32> = rows.iter().map(|row| row[column]).collect();
            values.sort_by(f32::total_cmp);
            values.dedup();
            let cuts = values.len().min(MOST_BINS).saturating_sub(1);
            let column_edges: Vec<f32> = (1..=cuts)
                .map(|cut| {
                    let place = cut * values.len() / (cuts + 1);
                    values[place - 1] + (values[place] - values[place - 1]) / 2.0
                })
                .collect();
            let code = |value: f32| column_edges.partition_point(|edge| *edge < value) as u8;
            codes.push(rows.iter().map(|row| code(row[column])).collect());
            edges.push(column_edges);
        }
        Bins { edges, codes }
    }
}

struct Node {
    rows: Vec<usize>,
    split: Option<(usize, usize)>,
    children: Option<(usize, usize)>,
}

struct Grower<'a> {
    bins: &'a Bins,
    errors: &'a [f64],
    weights: &'a [f64],
    columns: &'a [usize],
    growth: Growth,
    nodes: Vec<Node>,
}

impl Grower<'_> {
    /// Grows the tree leaf by leaf, the most useful split first.
    fn grow(&mut self, rows: Vec<usize>) -> Tree {
        let first = self.best_split(&rows);
        self.nodes.push(Node { rows, split: None, children: None });
        let mut open = vec![(0, first)];
        let mut leaves = 1;
        while leaves < self.growth.leaves {
            let best = open
                .iter()
                .enumerate()
                .filter_map(|(place, (_, split))| split.map(|(gain, _, _)| (gain, place)))
                .max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(&left.1)));
            let Some((_, place)) = best else { break };
            let (node, split) = open.swap_remove(place);
            let Some((_, column, bin)) = split else { break };
            let codes = &self.bins.codes[column];
            let (below, above): (Vec<usize>, Vec<usize>) =
                self.nodes[node].rows.iter().partition(|row| usize::from(codes[**row]) <= bin);
            self.nodes[node].split = Some((column, bin));
            self.nodes[node].children = Some((self.nodes.len(), self.nodes.len() + 1));
            for side in [below, above] {
                open.push((self.nodes.len(), self.best_split(&side)));
                self.nodes.push(Node { rows: side, split: None, children: None });
            }
            leaves += 1;
        }
        let mut tree = Tree::default();
        self.write(0, &mut tree);
        tree
    }

    /// The split of these rows that separates the signs best: gain, column and last bin of the lower side.
    fn best_split(&self, rows: &[usize]) -> Option<(f64, usize, usize)> {
        if rows.len() < 2 * self.growth.fewest_rows {
            return None;
        }
        let mut best: Option<(f64, usize, usize)> = None;
        for &column in self.columns {
            let cuts = self.bins.edges[column].len();
            if cuts == 0 {
                continue;
            }
            let mut sums = [(0.0_f64, 0.0_f64, 0_usize); MOST_BINS];
            let (mut total, mut weight) = (0.0, 0.0);
            for &row in rows {
                let signed = self.errors[row].signum() * self.weights[row];
                let bin = &mut sums[usize::from(self.bins.codes[column][row])];
                bin.0 += signed;
                bin.1 += self.weights[row];
                bin.2 += 1;
                total += signed;
                weight += self.weights[row];
            }
            let (mut below, mut below_weight, mut below_rows) = (0.0, 0.0, 0);
            for (bin, (signed, bin_weight, count)) in sums.iter().enumerate().take(cuts) {
                below += signed;
                below_weight += bin_weight;
                below_rows += count;
                if below_rows < self.growth.fewest_rows {
                    continue;
                }
                if rows.len() - below_rows < self.growth.fewest_rows {
                    break;
                }
                let above = total - below;
                let gain = below * below / below_weight + above * above / (weight - below_weight).max(1e-12)
                    - total * total / weight;
                if gain > 1e-9 && best.is_none_or(|(least, _, _)| gain > least) {
                    best = Some((gain, column, bin));
                }
            }
        }
        best
    }

    fn write(&self, node: usize, tree: &mut Tree) {
        let here = &self.nodes[node];
        let entry = tree.nodes.len();
        match (here.split, here.children) {
            (Some((column, bin)), Some((below, above))) => {
                let value = self.bins.edges[column][bin];
                tree.nodes.push(TreeNode { column: column as i16, other: 0, value });
                self.write(below, tree);
                tree.nodes[entry].other = tree.nodes.len() as u16;
                self.write(above, tree);
            }
            _ => {
                let value = weighted_median(&here.rows, self.errors, self.weights) * self.growth.rate;
                tree.nodes.push(TreeNode { column: -1, other: 0, value: (value * 1e4).round() as f32 / 1e4 });
            }
        }
    }
}

/// The value below which half of the weight lies.
fn weighted_median(rows: &[usize], values: &[f64], weights: &[f64]) -> f64 {
    let mut sorted: Vec<usize> = rows.to_vec();
    sorted.sort_by(|left, right| values[*left].total_cmp(&values[*right]));
    let half: f64 = sorted.iter().map(|row| weights[*row]).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for row in &sorted {
        below += weights[*row];
        if below >= half {
            return values[*row];
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROWTH: Growth =
        Growth { rounds: 120, rate: 0.1, leaves: 8, fewest_rows: 4, row_share: 0.8, column_share: 1.0 };

    fn grid() -> (Vec<Vec<f32>>, Vec<f64>) {
        let rows: Vec<Vec<f32>> = (0..400).map(|i| vec![(i % 20) as f32, (i / 20) as f32, 1.0]).collect();
        let targets = rows
            .iter()
            .map(|row| if row[0] > 9.0 { 1.0 } else { -1.0 } * if row[1] > 4.0 { 0.5 } else { 0.1 })
            .collect();
        (rows, targets)
    }

    #[test]
    fn trees_learn_an_interaction_of_two_columns() {
        let (rows, targets) = grid();
        let forest = Forest::train(&rows, &targets, GROWTH, 7);
        for (row, target) in rows.iter().zip(&targets) {
            assert!(
                (forest.value_of(row) - target).abs() < 0.05,
                "{row:?}: {} for {target}",
                forest.value_of(row)
            );
        }
    }

    #[test]
    fn one_wild_measurement_does_not_move_its_neighbours() {
        let (rows, mut targets) = grid();
        targets[210] = 50.0;
        let forest = Forest::train(&rows, &targets, GROWTH, 7);
        assert!((forest.value_of(&rows[211]) - targets[211]).abs() < 0.1);
    }

    #[test]
    fn a_trained_forest_survives_its_file_and_training_repeats_itself() {
        let (rows, targets) = grid();
        let forest = Forest::train(&rows, &targets, GROWTH, 7);
        let again = Forest::train(&rows, &targets, GROWTH, 7);
        assert_eq!(forest, again);
        let text = serde_json::to_string(&forest).expect("is plain data");
        assert_eq!(serde_json::from_str::<Forest>(&text).expect("is what was written"), forest);
    }
}
