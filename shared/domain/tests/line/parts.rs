//! Properties of a site that is taken apart and put together again.

use crate::random_steps::{all_rules, run_steps, run_steps_through, steps};
use paihao_domain::Site;
use proptest::prelude::*;

fn rebuilt(site: &Site) -> Site {
    Site::from_parts(site.to_parts())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_site_put_together_from_its_parts_is_the_same(steps in steps()) {
        run_steps(&all_rules(), &steps, |_, site, _| {
            let rebuilt = rebuilt(site);
            assert_eq!(&rebuilt, site);
            assert_eq!(format!("{rebuilt:?}"), format!("{site:?}"), "to the byte");
        });
    }

    #[test]
    fn what_is_decided_after_it_is_the_same(steps in steps(), cut in 0..300usize) {
        let rules = all_rules();
        let (site, ledger) = run_steps(&rules, &steps, |_, _, _| {});
        let everywhere = run_steps_through(&rules, &steps, |site| rebuilt(&site), |_, _, _| {});
        let mut decisions = 0;
        let at_the_cut = |site| {
            decisions += 1;
            if decisions == cut { rebuilt(&site) } else { site }
        };
        let once = run_steps_through(&rules, &steps, at_the_cut, |_, _, _| {});
        for (rebuilt, rebuilt_ledger) in [everywhere, once] {
            prop_assert_eq!(&rebuilt_ledger, &ledger);
            prop_assert_eq!(format!("{rebuilt:?}"), format!("{site:?}"));
        }
    }
}

#[test]
fn an_empty_site_has_empty_parts() {
    assert_eq!(rebuilt(&Site::default()), Site::default());
}
