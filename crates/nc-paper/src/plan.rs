use std::collections::BTreeMap;

use nc_train::{Experiment, ValidExperiment, presets};
use wildmatch::WildMatch;

use crate::{
    Error, Job, PaperFigure, PaperTable, Records, Result, Scale,
    job::{self, key},
};

/// Selection of cells.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Tables and figures, such as `3`, `beyond` and `figure2`; empty for all.
    pub tables: Vec<String>,
    /// Glob pattern (`*`, `?`) for [`CellName`](crate::CellName)s.
    pub cells: String,
    /// Seeds; empty for the defaults of the scale.
    pub seeds: Vec<u64>,
    /// Scale of the runs.
    pub scale: Scale,
    /// Include cells on ImageNet-LT, whose images must be obtained by hand. Smoke scale always includes them.
    pub imagenet_lt: bool,
}

/// The runs needed for the selected cells, deduplicated, in dependency order.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Scale of the runs.
    pub scale: Scale,
    /// Runs.
    pub jobs: Vec<Job>,
}

/// A cell or series with a run.
struct Wanted {
    group: String,
    preset: String,
    noise: Option<f64>,
    on_imagenet_lt: bool,
}

impl Plan {
    /// Plans the runs of `selection`.
    ///
    /// # Errors
    ///
    /// [`Error::NoTable`] for an unknown table, [`Error::NoCell`] if no cell is selected, [`Error::NoImageNet`] if only
    /// cells on ImageNet-LT are, and these are not included.
    pub fn new(tables: &[PaperTable], figures: &[PaperFigure], selection: &Selection) -> Result<Self> {
        let all = wanted(tables, figures);
        let groups: Vec<String> =
            tables.iter().map(table_group).chain(figures.iter().map(figure_group)).collect();
        for name in &selection.tables {
            if !groups.contains(&group(name)) {
                return Err(Error::NoTable { name: name.clone(), known: groups.join(", ") });
            }
        }
        let pattern = WildMatch::new(&selection.cells);
        let chosen = |cell: &&Wanted| {
            let name = format!("{}/{}", cell.group, cell.preset);
            let of_table =
                selection.tables.is_empty() || selection.tables.iter().any(|name| group(name) == cell.group);
            of_table && pattern.matches(&name)
        };
        let seeds =
            if selection.seeds.is_empty() { selection.scale.seeds() } else { selection.seeds.as_slice() };
        let mut plan = Self { scale: selection.scale, jobs: vec![] };
        let names = plan.names(&all)?;
        let imagenet_lt = selection.imagenet_lt || selection.scale == Scale::Smoke;
        for cell in all.iter().filter(chosen).filter(|cell| imagenet_lt || !cell.on_imagenet_lt) {
            for &seed in seeds {
                let experiment = plan.scale.experiment(&cell.preset, seed)?;
                let name = format!("{}/{}", cell.group, cell.preset);
                let key = plan.add(&cell.preset, &name, experiment, &names)?;
                let job = plan.jobs.iter_mut().find(|job| job.key == key);
                let Some(job) = job else { continue };
                if cell.noise.is_some() && job.noise_cell.is_none() {
                    job.noise_cell = Some(name.clone());
                }
                match job.cells.iter_mut().find(|(other, _)| *other == name) {
                    Some((_, noise)) => noise.extend(cell.noise),
                    None => job.cells.push((name, cell.noise.into_iter().collect())),
                }
                job.noise.extend(cell.noise);
                job.noise.sort_by(f64::total_cmp);
                job.noise.dedup();
            }
        }
        if plan.jobs.is_empty() {
            if all.iter().any(|cell| chosen(&cell)) {
                return Err(Error::NoImageNet);
            }
            return Err(Error::NoCell { pattern: selection.cells.clone() });
        }
        Ok(plan)
    }

    /// Adds the run of `cell`, after the runs of its first phases, unless already planned. Returns its key.
    fn add(
        &mut self,
        preset: &str,
        cell: &str,
        experiment: ValidExperiment,
        names: &BTreeMap<String, String>,
    ) -> Result<String> {
        let key = key(&experiment)?;
        let needs = match experiment.shorter() {
            None => None,
            Some(shorter) => Some(self.add(preset, cell, shorter.try_into()?, names)?),
        };
        if !self.jobs.iter().any(|job| job.key == key) {
            // Keys depend on the seed, names do not.
            let experiment = experiment.into_inner();
            let nameless = job::key(&Experiment { seed: 0, ..experiment.clone() })?;
            let name = names.get(&nameless);
            let needed_by = (name.is_none() || self.scale == Scale::Smoke).then(|| cell.to_owned());
            let preset = name.map_or_else(|| format!("{preset} (first phases)"), Clone::clone);
            let experiment = Experiment { name: preset.clone(), ..experiment }.try_into()?;
            let (key, noise, cells) = (key.clone(), vec![], vec![]);
            self.jobs.push(Job { preset, experiment, key, noise, needs, cells, noise_cell: None, needed_by });
        }
        Ok(key)
    }

    /// Names of all experiments by their key at seed 0: the first preset with that key, independent of the selection.
    fn names(&self, all: &[Wanted]) -> Result<BTreeMap<String, String>> {
        let mut names = BTreeMap::new();
        let of_cells = all.iter().map(|cell| cell.preset.clone());
        let of_methods = presets::data_sets()
            .flat_map(|(data, _)| presets::methods().map(move |(method, _)| format!("{data}/{method}")));
        for preset in of_cells.chain(of_methods) {
            // Skip methods that are invalid at this scale.
            if let Ok(experiment) = self.scale.experiment(&preset, 0) {
                names.entry(key(&experiment)?).or_insert(preset);
            }
        }
        Ok(names)
    }

    /// Jobs without a complete record in `records`.
    pub fn missing<'a>(&'a self, records: &Records) -> Vec<&'a Job> {
        self.jobs.iter().filter(|job| !records.has(job)).collect()
    }

    /// Name, recorded runs and total runs of each cell, sorted by name. A run counts as recorded for a cell if the
    /// record has the noise levels of that cell, even if it lacks those of other cells.
    pub fn cells<'a>(&'a self, records: &Records) -> Vec<(&'a str, usize, usize)> {
        let mut cells: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for job in &self.jobs {
            for (cell, noise) in &job.cells {
                let (done, all) = cells.entry(cell).or_default();
                *done += usize::from(records.get(&job.key).is_some_and(|record| record.has_noise(noise)));
                *all += 1;
            }
        }
        cells.into_iter().map(|(name, (done, all))| (name, done, all)).collect()
    }
}

/// Full name of a table or figure: `table3` for `3`; `figure2` is unchanged.
fn group(name: &str) -> String {
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("table{name}")
    } else {
        name.to_owned()
    }
}

fn table_group(table: &PaperTable) -> String {
    group(&table.id)
}

fn figure_group(figure: &PaperFigure) -> String {
    format!("figure{}", figure.id)
}

fn wanted(tables: &[PaperTable], figures: &[PaperFigure]) -> Vec<Wanted> {
    let mut wanted = vec![];
    for table in tables {
        for cell in table.rows.iter().flat_map(|row| &row.cells) {
            let run = &cell.run;
            wanted.push(Wanted {
                group: table_group(table),
                preset: run.preset(),
                noise: run.noise,
                on_imagenet_lt: run.is_on_imagenet_lt(),
            });
        }
    }
    for figure in figures {
        for series in figure.groups.iter().flat_map(|group| &group.series) {
            let group = figure_group(figure);
            wanted.push(Wanted { group, preset: series.preset(), noise: None, on_imagenet_lt: false });
        }
    }
    wanted
}
