//! Ranking of methods by their validation images.

use std::{fmt::Write, path::PathBuf};

use nc_record::Decisions;

use crate::{
    html::escape,
    pages::{
        finished::Finished,
        methods::{Method, Summary, methods},
        run::RunReport,
    },
};

/// Methods ranked by balanced accuracy on the same validation images. Test images play no part.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Methods, best first.
    pub rows: Vec<RankedMethod>,
    /// Number of validation images.
    pub images: usize,
}

/// A method of a [`Ranking`].
#[derive(Clone, Debug, PartialEq)]
pub struct RankedMethod {
    /// Name.
    pub name: String,
    /// Number of seeds.
    pub seeds: usize,
    /// Balanced validation accuracy, from 0 to 1: mean over the seeds.
    pub mean: f64,
    /// Standard deviation over the seeds; `None` for one seed.
    pub deviation: Option<f64>,
    /// Lead of the best method over this one and its standard error, both from 0 to 1; `None` for the best method. The
    /// error is `None` if there are too few validation images and seeds to estimate it.
    ///
    /// With d_i the difference of the two methods' correct predictions of image i, averaged over the seeds of both, n_k the
    /// images of class k, S seeds and D_s the lead of seed s:
    ///
    /// ```text
    /// SE^2 = 1/K^2 sum_k var_k(d) / n_k  +  var(D) / S
    /// ```
    ///
    /// The first term is the error of the few images, the second that of the few seeds. A class with a single image
    /// takes the variance over the images of all classes.
    pub lead: Option<(f64, Option<f64>)>,
    /// Test metrics, for display.
    pub test: TestSummary,
    /// Directory of the seed with the best balanced validation accuracy.
    pub best_run: PathBuf,
}

/// Test metrics of a method, from 0 to 1, averaged over its seeds; `None` if a run lacks the metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestSummary {
    /// Accuracy.
    pub all: Option<f64>,
    /// Balanced accuracy, the mean over classes.
    pub balanced: Option<f64>,
    /// Accuracy on many-shot classes.
    pub many: Option<f64>,
    /// Accuracy on medium-shot classes.
    pub medium: Option<f64>,
    /// Accuracy on few-shot classes.
    pub few: Option<f64>,
    /// Accuracy of the worst class.
    pub worst_class: Option<f64>,
    /// Expected calibration error of 15 bins.
    pub ece: Option<f64>,
}

impl TestSummary {
    fn of(method: &Method<'_>) -> Self {
        let mean = |of: fn(&Finished) -> Option<f64>| method.summary(of).map(|summary| summary.mean);
        Self {
            all: mean(|result| Some(result.accuracy.top1)),
            balanced: mean(|result| Some(result.accuracy.balanced)),
            many: mean(|result| result.accuracy.many),
            medium: mean(|result| result.accuracy.medium),
            few: mean(|result| result.accuracy.few),
            worst_class: mean(|result| result.accuracy.worst_class),
            ece: mean(|result| result.calibration.ece15),
        }
    }
}

impl Ranking {
    /// Ranks the methods of finished `runs`. `None` for fewer than two methods, or unless every run has decisions on the
    /// same validation images.
    pub fn of(runs: &[RunReport]) -> Option<Self> {
        let finished = runs.iter().all(|run| run.result.is_some());
        Self::of_methods(&finished.then(|| methods(runs))?.0)
    }

    pub(crate) fn of_methods(methods: &[Method<'_>]) -> Option<Self> {
        let mut decided = vec![];
        for method in methods {
            let decisions = method.runs.iter().map(|run| run.validation.as_ref());
            decided.push((method, decisions.collect::<Option<Vec<&Decisions>>>()?));
        }
        let first = *decided.first()?.1.first()?;
        let same =
            |other: &&Decisions| other.images_hash == first.images_hash && other.labels == first.labels;
        if decided.len() < 2 || !decided.iter().flat_map(|(_, seeds)| seeds).all(same) {
            return None;
        }
        let mut rows = vec![];
        for (method, seeds) in &decided {
            let accuracies =
                seeds.iter().map(|seed| seed.balanced_accuracy()).collect::<Option<Vec<f64>>>()?;
            let Summary { mean, deviation } = Summary::of(&accuracies)?;
            let best =
                (0..accuracies.len()).rev().max_by(|&a, &b| accuracies[a].total_cmp(&accuracies[b]))?;
            let best_run = method.runs[best].directory.clone();
            let (name, seeds) = (method.name.clone(), seeds.len());
            let test = TestSummary::of(method);
            rows.push(RankedMethod { name, seeds, mean, deviation, lead: None, test, best_run });
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| rows[b].mean.total_cmp(&rows[a].mean));
        let best = &decided[order[0]];
        for &other in &order[1..] {
            let error = standard_error(&seeds_by_number(best), &seeds_by_number(&decided[other]));
            rows[other].lead = Some((rows[order[0]].mean - rows[other].mean, error));
        }
        let rows = order.into_iter().map(|index| rows[index].clone()).collect();
        Some(Self { rows, images: first.labels.len() })
    }

    /// The recommendation in one or two sentences.
    pub fn recommendation(&self) -> String {
        let [best, others @ ..] = &self.rows[..] else { return String::new() };
        let points = |share: f64| format!("{:.1}", 100.0 * share);
        let seeds = if best.seeds == 1 { "1 seed".to_owned() } else { format!("{} seeds", best.seeds) };
        let mut text = format!(
            "Use {}: {} % balanced accuracy on {} validation images ({seeds})",
            best.name,
            points(best.mean),
            self.images
        );
        let Some((second, (lead, error))) = others.iter().find_map(|row| Some((row, row.lead?))) else {
            return format!("{text}.");
        };
        let _ = write!(
            text,
            ", {}{} points above the second, {}{}.",
            points(lead),
            error.map_or_else(String::new, |error| format!(" ± {}", points(error))),
            second.name,
            if error.is_some() { " (± standard error)" } else { "" }
        );
        let close = |row: &&RankedMethod| {
            row.lead.is_some_and(|(lead, error)| error.is_none_or(|error| lead <= 2.0 * error))
        };
        let close: Vec<&str> = others.iter().filter(close).map(|row| row.name.as_str()).collect();
        match close[..] {
            [] => text.push_str(" Its lead over every other method exceeds two standard errors."),
            _ if close.len() == others.len() => {
                text.push_str(" These images and seeds do not separate the methods.");
            }
            _ => {
                let _ = write!(text, " Within two standard errors of it: {}.", close.join(", "));
            }
        }
        text
    }

    /// A section of a page.
    pub(crate) fn html(&self) -> String {
        let mut out = format!(
            "<section>\n<h2>Recommendation</h2>\n<p>{}</p>\n<div class=\"wide\"><table class=\"sortable\">\n<thead><tr>\
             <th>method</th><th>seeds</th><th>balanced validation accuracy, %</th><th>lead of the best, points</th></tr>\
             </thead>\n",
            escape(&self.recommendation())
        );
        for row in &self.rows {
            let deviation =
                row.deviation.map_or_else(String::new, |deviation| format!(" ± {:.1}", 100.0 * deviation));
            let lead = row.lead.map_or_else(
                || "–".to_owned(),
                |(lead, error)| {
                    let error = error.map_or_else(String::new, |error| format!(" ± {:.1}", 100.0 * error));
                    format!("{:.1}{error}", 100.0 * lead)
                },
            );
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{:.1}{deviation}</td><td>{lead}</td></tr>",
                escape(&row.name),
                row.seeds,
                100.0 * row.mean
            );
        }
        out.push_str(
            "</table></div>\n<p class=\"notes\">Accuracy ± standard deviation over the seeds; lead ± standard error over \
             validation images and seeds, which does not include the choice of each run's best epoch by the same images. \
             Test images do not influence the order.</p>\n</section>\n",
        );
        out
    }
}

/// Decisions of a method by seed.
type BySeed<'a> = Vec<(u64, &'a Decisions)>;

fn seeds_by_number<'a>((method, decisions): &(&Method<'a>, Vec<&'a Decisions>)) -> BySeed<'a> {
    method.results().map(|result| result.seed).zip(decisions.iter().copied()).collect()
}

/// Standard error of the difference in balanced accuracy of two methods on the same images, see [`RankedMethod::lead`].
/// `None` if it would be 0 but for rounding, because neither images nor seeds show any variation.
fn standard_error(one: &BySeed<'_>, other: &BySeed<'_>) -> Option<f64> {
    let (_, Decisions { labels, .. }) = one.first()?;
    let share_right = |seeds: &BySeed<'_>, image: usize| {
        let right = seeds.iter().filter(|(_, seed)| seed.predictions[image] == labels[image]).count();
        right as f64 / seeds.len() as f64
    };
    let classes = labels.iter().max().map_or(0, |&most| most as usize + 1);
    let mut differences = vec![vec![]; classes];
    for (image, &label) in labels.iter().enumerate() {
        differences[label as usize].push(share_right(one, image) - share_right(other, image));
    }
    differences.retain(|class| !class.is_empty());
    let variance = |images: &[f64]| {
        let mean = images.iter().sum::<f64>() / images.len() as f64;
        let squares: f64 = images.iter().map(|value| (value - mean).powi(2)).sum();
        squares / (images.len() - 1).max(1) as f64
    };
    let of_all = variance(&differences.concat());
    let of_class = |class: &Vec<f64>| {
        let variance = if class.len() > 1 { variance(class) } else { of_all };
        variance / class.len() as f64
    };
    let of_images = differences.iter().map(of_class).sum::<f64>() / (differences.len() as f64).powi(2);
    let lead = |&(seed, decisions): &(u64, &Decisions)| {
        let (_, partner) = other.iter().find(|(number, _)| *number == seed)?;
        Some(decisions.balanced_accuracy()? - partner.balanced_accuracy()?)
    };
    let leads: Vec<f64> = one.iter().filter_map(lead).collect();
    let deviation = Summary::of(&leads).and_then(|leads| leads.deviation).unwrap_or(0.0);
    let error = (of_images + deviation.powi(2) / leads.len().max(1) as f64).sqrt();
    (error > 1e-9).then_some(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(labels: &[u32], predictions: &[u32]) -> Decisions {
        Decisions { images_hash: "x".into(), labels: labels.to_vec(), predictions: predictions.to_vec() }
    }

    #[test]
    fn the_error_is_that_of_the_formula() {
        let labels = [0, 0, 0, 0, 1];
        let (one, other) = (decisions(&labels, &[0, 0, 0, 0, 1]), decisions(&labels, &[0, 0, 1, 1, 1]));
        // d = 0, 0, 1, 1 in class 0, whose sample variance is 1/3; class 1 takes that of 0, 0, 1, 1, 0, 0.3.
        let expected = ((1.0 / 3.0 / 4.0 + 0.3) / 4.0_f64).sqrt();
        let found = standard_error(&vec![(0, &one)], &vec![(0, &other)]).unwrap();
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        // Two seeds with leads of 1/4 and 0 add var(D)/2 = 1/64.
        let (a, b) = (vec![(0, &one), (1, &one)], vec![(0, &other), (1, &one)]);
        // d = 0, 0, 1/2, 1/2, and 0.
        let expected = ((1.0 / 12.0 / 4.0 + 0.075) / 4.0 + 1.0 / 64.0_f64).sqrt();
        let found = standard_error(&a, &b).unwrap();
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn equal_methods_have_no_error_and_single_images_that_of_all() {
        let same = decisions(&[0, 1, 1], &[0, 1, 0]);
        assert_eq!(standard_error(&vec![(0, &same)], &vec![(0, &same)]), None);
        // d = 0 and 1, each of the only image of a class.
        let (one, other) = (decisions(&[0, 1], &[0, 1]), decisions(&[0, 1], &[0, 0]));
        assert_eq!(standard_error(&vec![(0, &one)], &vec![(0, &other)]), Some(0.5));
    }

    #[test]
    fn only_leads_above_two_errors_separate_methods() {
        let row = |name: &str, lead| RankedMethod {
            name: name.into(),
            seeds: 1,
            mean: 0.5,
            deviation: None,
            lead,
            test: TestSummary {
                all: None,
                balanced: None,
                many: None,
                medium: None,
                few: None,
                worst_class: None,
                ece: None,
            },
            best_run: PathBuf::new(),
        };
        let text = |leads: &[(f64, Option<f64>)]| {
            let others = leads.iter().enumerate().map(|(index, lead)| row(&format!("m{index}"), Some(*lead)));
            Ranking { rows: [row("best", None)].into_iter().chain(others).collect(), images: 7 }
                .recommendation()
        };
        for unresolved in [(0.0, None), (0.3, None), (0.2, Some(0.1))] {
            assert!(text(&[unresolved]).contains("do not separate the methods"), "{unresolved:?}");
        }
        assert!(text(&[(0.3, Some(0.1))]).contains("exceeds two standard errors"));
        assert!(
            text(&[(0.1, Some(0.1)), (0.3, Some(0.1))]).contains("Within two standard errors of it: m0.")
        );
    }
}
