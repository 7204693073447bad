//! Whether sharing helps those who have little of their own and does no harm to those who have much.

use std::error::Error;
use std::io::Write;
use std::ops::Range;

use crate::data::Set;
use crate::{grid, play};

/// Prints the loss of a hierarchical, a pooled and a separate model, and tenant by tenant how
/// often the first is worse than it may be.
pub(crate) fn report(
    out: &mut impl Write,
    set: &Set,
    shuffles: Range<u64>,
) -> Result<(), Box<dyn Error>> {
    let tenants = set
        .tenant
        .iter()
        .max()
        .ok_or(format!("`--tenants`: `{}` has no column tenant", set.name))?
        + 1;
    let (mut sums, mut totals) = (vec![[0.0; 3]; tenants], [0.0; 3]);
    let count = shuffles.clone().count() as f64;
    for shuffle in shuffles {
        for (which, name) in ["hierarchical", "pooled", "separate"].into_iter().enumerate() {
            let mut player = grid::named(name, set)?;
            let outcome = play::play(set, player.as_mut(), shuffle, play::Feedback::AsGiven);
            totals[which] += outcome.value / count;
            for (sum, own) in sums.iter_mut().zip(&outcome.by_tenant) {
                sum[which] += own / count;
            }
        }
    }
    let rounds = |tenant| set.tenant.iter().filter(|&&t| t == tenant).count();
    let few: Vec<usize> = (0..tenants).filter(|&t| (1..50).contains(&rounds(t))).collect();
    let many: Vec<usize> = (0..tenants).filter(|&t| rounds(t) > 1000).collect();
    let worse_few = few.iter().filter(|&&t| sums[t][0] > sums[t][1]).count();
    let worse_many = many.iter().filter(|&&t| sums[t][0] > 1.02 * sums[t][2]).count();
    writeln!(
        out,
        "# {}: hierarchical {:.4}, pooled {:.4}, separate {:.4}; of {} tenants with fewer than 50 \
         rounds {worse_few} worse than pooled; of {} with more than 1000 {worse_many} more than 2 % \
         worse than on their own",
        set.name,
        totals[0],
        totals[1],
        totals[2],
        few.len(),
        many.len(),
    )?;
    Ok(())
}
