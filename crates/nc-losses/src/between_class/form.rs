// schemars copies these comments into the reference of a configuration that has this enum.
/// The three forms of L_B on centred and normalised centres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum BetweenForm {
    /// Mean over classes of the angle to the nearest other centre, negative (eq. 15).
    #[default]
    MeanMinAngle,
    /// The smallest angle of all, negative.
    GlobalMinAngle,
    /// Frobenius distance of the off-diagonal cosines from -1/(K-1).
    EtfGap,
}
