//! Names that clusters and daemons accept: a pipeline's may end in `_`, and theirs may not.

use crate::facts::Facts;

/// The longest DNS label (RFC 1123).
const LONGEST: usize = 63;

impl Facts {
    /// A name for what there is once for each environment of each pipeline.
    pub(crate) fn instance(&self) -> String {
        self.label("")
    }

    /// The same for a part of it, such as `-deploy`: a DNS label. Where the two names cannot be told from it any more, since
    /// something was replaced or cut, a mark of them keeps it apart from others.
    pub(crate) fn label(&self, suffix: &str) -> String {
        let [pipeline, environment] = [&self.pipeline, &self.environment]
            .map(|name| name.replace('_', "-").trim_end_matches('-').to_owned());
        let joined = format!("{pipeline}-{environment}");
        let room = LONGEST - suffix.len();
        let is_told = pipeline == self.pipeline && environment == self.environment;
        if is_told && !environment.contains('-') && joined.len() <= room {
            return format!("{joined}{suffix}");
        }
        let mark = format!("-{}", self.mark());
        let cut = &joined[..joined.len().min(room - mark.len())];
        format!("{}{mark}{suffix}", cut.trim_end_matches('-'))
    }

    /// The pipeline as the value of a label: it begins and ends with a letter or a digit.
    pub(crate) fn part_of(&self) -> &str {
        self.pipeline.trim_end_matches(['-', '_'])
    }

    /// Six digits of FNV-1a over both names.
    fn mark(&self) -> String {
        let bytes = self.pipeline.bytes().chain([0]).chain(self.environment.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        format!("{:06x}", hash >> 40)
    }
}

/// The name of an image of a pipeline. Between letters and digits it may have one `_`, two, or any number of `-`.
pub fn image_name(pipeline: &str, suffix: &str) -> String {
    let mut name = String::new();
    let mut between = String::new();
    for one in pipeline.trim_end_matches(['-', '_']).chars() {
        if one == '-' || one == '_' {
            between.push(one);
            continue;
        }
        let stays = between.chars().all(|one| one == '-') || between == "_" || between == "__";
        name.push_str(if stays { &between } else { "-" });
        between.clear();
        name.push(one);
    }
    format!("{name}-{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_have_no_separator_that_a_daemon_refuses() {
        for (pipeline, name) in [
            ("shop", "shop-release"),
            ("shop_", "shop-release"),
            ("my_shop", "my_shop-release"),
            ("a__b--c___d_-e-_", "a__b--c-d-e-release"),
        ] {
            assert_eq!(image_name(pipeline, "release"), name);
        }
    }
}
