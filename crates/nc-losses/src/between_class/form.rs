/// Which angles L_B widens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BetweenForm {
    /// The angle of each class to its nearest neighbour, averaged over the classes. The paper's choice.
    #[default]
    MeanMinAngle,
    /// Only the smallest angle of all.
    GlobalMinAngle,
    /// The distance of all cosines from those of a simplex ETF, -1/(K-1).
    EtfGap,
}
