-- Addresses for letters about approvals; who gave their vote to whom, as a list; plans that owe a review.
--
-- view.delegation is folded by approval from the streams of standing delegations and can be dropped and rebuilt. An
-- address is kept with the user and nowhere else, so that it can be forgotten.
--
-- Runs as gonogo_owner.

alter table identity.users add column email text not null default '';

alter table view.plan add column review_owed boolean not null default false;
create index plan_owing_review on view.plan (idx desc) where review_owed;

create table view.delegation (
    delegator text not null,
    delegate text not null,
    until bigint not null,
    given_at bigint not null,
    reason text not null,
    primary key (delegator, delegate)
);

create index delegation_of_delegate on view.delegation (delegate);

-- One row per approval round: whether it is open, when it was decided, how many letters are on their way.
create table view.letter_round (
    plan text not null,
    round int not null,
    open boolean not null,
    changed_at bigint not null,
    letters_open int not null,
    primary key (plan, round)
);

create index letter_round_open on view.letter_round (plan, round) where open or letters_open > 0;
