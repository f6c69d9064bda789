// schemars copies these comments into the configuration reference.
/// The three forms of L_B on centred and normalised centres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum BetweenForm {
    /// Negative mean over classes of the angle to the nearest other centre (eq. 15).
    #[default]
    MeanMinAngle,
    /// Negative smallest angle between any two centres.
    GlobalMinAngle,
    /// Frobenius distance of the off-diagonal cosines from -1/(K-1).
    EtfGap,
}
