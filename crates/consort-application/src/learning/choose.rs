//! Choosing: who may be chosen, who decides, and what is told of it.

use consort_core::{Category, Choice, Question, Situation, Skipped, StepError};

use super::{domain::Domain, state::State};

impl State {
    /// Chooses among the candidates of a question. Candidates whose needs are unmet or whose
    /// health is bad are skipped. If health leaves nobody, it says nothing about whom to choose:
    /// then only those stay out that asked for a pause, or nobody.
    ///
    /// # Errors
    ///
    /// `unavailable` when the needs of no candidate are met; `invalid_request` for features that
    /// do not fit; `resource_exhausted` for too many arms or domains.
    pub fn choose(
        &self,
        situation: Situation<'_>,
        question: &Question,
    ) -> Result<Choice, StepError> {
        let tenant = situation.tenant.as_str();
        let key = (tenant.to_owned(), question.component, question.domain.clone());
        let fresh;
        let domain = match self.domains.get(&key) {
            Some(domain) => domain,
            None if self.domains.len() >= self.config.domains => return Err(self.full()),
            None => {
                let (version, spec) = self.spec(&question.domain);
                fresh = Domain::new(spec, version, self.limits()).map_err(|error| {
                    StepError::new(Category::Configuration, "the domain has no usable policy")
                        .because(&error)
                })?;
                &fresh
            }
        };
        let skipped = self.skip(&situation, question, domain)?;
        let (policy, odd) = match self.contend(&key, &situation, question, &skipped) {
            Some(contended) => contended,
            None => (
                format!("{}/{}", question.domain, domain.spec().rule_name()),
                domain.decide(question, &skipped, situation.random.unit())?,
            ),
        };
        Ok(Choice {
            chosen: odd.chosen,
            propensities: odd.propensities,
            scores: Some(odd.scores),
            policy,
            version: domain.version(),
            skipped,
        })
    }

    fn skip(
        &self,
        situation: &Situation<'_>,
        question: &Question,
        domain: &Domain,
    ) -> Result<Vec<Skipped>, StepError> {
        let needs = &domain.spec().needs;
        let mut skipped: Vec<Skipped> = Vec::new();
        for (candidate, name) in question.candidates.iter().enumerate() {
            let unmet = needs
                .get(name)
                .and_then(|needs| needs.unmet(&situation.budget, situation.registered));
            skipped.extend(unmet.map(|why| Skipped { candidate, why }));
        }
        let all = question.candidates.len();
        if skipped.len() == all {
            let error = StepError::new(Category::Unavailable, "the needs of no candidate are met");
            return Err(skipped.iter().fold(error, |error, skip| {
                error.cause(format!("`{}`: {}", question.candidates[skip.candidate], skip.why))
            }));
        }
        let (tenant, now) = (situation.tenant.as_str().to_owned(), situation.now.0);
        // Why each of the others is out, and whether that is only a pause it asked for.
        let sick = question.candidates.iter().enumerate().filter_map(|(candidate, name)| {
            let watched = (tenant.clone(), question.component, name.clone());
            let window = self.ledger.health.get(&watched)?;
            Some((Skipped { candidate, why: window.refusal(now)? }, window.is_paused(now)))
        });
        let sick: Vec<(Skipped, bool)> = sick
            .filter(|(sick, _)| !skipped.iter().any(|unmet| unmet.candidate == sick.candidate))
            .collect();
        let paused = sick.iter().filter(|(_, paused)| *paused).count();
        let only_paused = skipped.len() + sick.len() >= all;
        if !only_paused || skipped.len() + paused < all {
            let out = sick.into_iter().filter(|(_, paused)| *paused || !only_paused);
            skipped.extend(out.map(|(skip, _)| skip));
            skipped.sort_by_key(|skip| skip.candidate);
        }
        Ok(skipped)
    }
}
