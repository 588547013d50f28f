#include "registry/access/rules-private.h"

#include <stdlib.h>
#include <string.h>

#include "registry/access/oidc.h"

static const struct {
    const char *name;
    unsigned bits;
} actions[] = {
    {"pull", RULES_PULL},
    {"push", RULES_PUSH},
    {"push-new", RULES_PUSH_NEW},
    {"delete", RULES_DELETE},
    {"health", RULES_HEALTH},
    {"all", RULES_PULL | RULES_PUSH | RULES_DELETE},
};

const char *rules_action_name(enum rules_action action)
{
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (actions[i].bits == (unsigned)action)
            return actions[i].name;
    return "";
}

unsigned rules_action_parse(const char *name, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (strlen(actions[i].name) == size && memcmp(actions[i].name, name, size) == 0)
            return actions[i].bits;
    return 0;
}

struct rules *rules_ref(struct rules *rules)
{
    __atomic_add_fetch(&rules->references, 1, __ATOMIC_RELAXED);
    return rules;
}

void rules_unref(struct rules *rules)
{
    if (!rules || __atomic_sub_fetch(&rules->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < rules->member_count; i++) {
        free(rules->members[i].name);
        free(rules->members[i].groups);
    }
    free(rules->members);
    free(rules->text);
    for (size_t i = 0; i < rules->tag_count; i++)
        free(rules->tags[i]);
    free(rules->tags);
    pattern_index_free(rules->index);
    pattern_index_free(rules->immutable);
    pattern_index_free(rules->retention);
    free(rules->retentions);
    pattern_index_free(rules->quota_index);
    for (size_t i = 0; i < rules->quota_count; i++)
        free(rules->quotas[i].patterns);
    free(rules->quotas);
    oidc_close(rules->oidc);
    oidc_rules_done(&rules->oidc_rules);
    free(rules);
}

void rules_unrefp(struct rules **rules)
{
    rules_unref(*rules);
}

const struct oidc_rules *rules_get_oidc_rules(const struct rules *rules)
{
    return &rules->oidc_rules;
}

void rules_set_oidc(struct rules *rules, struct oidc *oidc)
{
    rules->oidc = oidc;
}

struct oidc *rules_get_oidc(const struct rules *rules)
{
    return rules->oidc;
}

bool rules_have_anonymous(const struct rules *rules)
{
    return rules->has_anonymous;
}

bool rules_are_of(const struct rules *rules, const char *text, size_t size)
{
    return rules->text_size == size && (size == 0 || memcmp(rules->text, text, size) == 0);
}

enum rules_principal_kind rules_principal_kind_of(const char *name)
{
    static const char robot[] = "robot+", workload[] = OIDC_PRINCIPAL_PREFIX;

    if (!name || !*name)
        return RULES_ANONYMOUS;
    if (strncmp(name, robot, strlen(robot)) == 0 || strncmp(name, workload, strlen(workload)) == 0)
        return RULES_ROBOT;
    return RULES_USER;
}

/* --- one decision ----------------------------------------------------------------------- */

/* The numbers that apply to a principal: at most three of its own, and its groups. */
struct identity {
    uint32_t own[3];
    size_t own_count;
    const uint32_t *groups;
    size_t group_count;
};

struct decision {
    struct identity identity;
    unsigned wanted;
    struct rules_answer *answer;
};

static int compare_member(const void *name, const void *member)
{
    return strcmp(name, ((const struct rules_member *)member)->name);
}

static void identify(const struct rules *rules, const struct rules_question *question,
                     struct identity *ret)
{
    enum rules_principal_kind kind = rules_principal_kind_of(question->principal);
    const struct rules_member *member;

    *ret = (struct identity){.own = {RULES_ID_ANYONE}, .own_count = 1};
    if (kind == RULES_ANONYMOUS)
        return;
    if (kind == RULES_USER)
        ret->own[ret->own_count++] = RULES_ID_USERS;
    member = bsearch(question->principal, rules->members, rules->member_count, sizeof(*member),
                     compare_member);
    if (!member)
        return;
    ret->own[ret->own_count++] = member->id;
    ret->groups = member->groups;
    ret->group_count = member->group_count;
}

/* The grants are sorted by principal. */
static void add_grants_to(struct decision *decision, const struct pattern_grant *grants,
                          size_t count, uint32_t id)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (grants[middle].principal < id)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && grants[low].principal == id; low++) {
        unsigned added = grants[low].actions & decision->wanted & ~decision->answer->granted;

        decision->answer->granted |= added;
        for (size_t bit = 0; bit < RULES_ACTION_COUNT; bit++)
            if (added & 1U << bit)
                decision->answer->lines[bit] = grants[low].line;
    }
}

static bool add_grants(void *context, const struct pattern_grant *grants, size_t count)
{
    struct decision *decision = context;
    const struct identity *identity = &decision->identity;

    for (size_t i = 0; i < identity->own_count; i++)
        add_grants_to(decision, grants, count, identity->own[i]);
    for (size_t i = 0; i < identity->group_count; i++)
        add_grants_to(decision, grants, count, identity->groups[i]);
    return decision->answer->granted == decision->wanted;
}

void rules_decide(const struct rules *rules, const struct rules_question *question,
                  struct rules_answer *ret)
{
    struct decision decision = {.wanted = question->actions, .answer = ret};

    *ret = (struct rules_answer){0};
    identify(rules, question, &decision.identity);
    pattern_index_visit(rules->index, question->repository, add_grants, &decision);
}

/* --- tags ------------------------------------------------------------------------------- */

struct tag_search {
    const struct rules *rules;
    const char *tag;
    unsigned kinds; /* the RULES_TAG_* bits in question */
    bool is_found;
};

static bool find_tag(void *context, const struct pattern_grant *grants, size_t count)
{
    struct tag_search *search = context;

    for (size_t i = 0; i < count && !search->is_found; i++)
        search->is_found = grants[i].actions & search->kinds &&
                           pattern_matches_component(search->rules->tags[grants[i].principal],
                                                     search->tag, strlen(search->tag));
    return search->is_found;
}

static bool is_tag(const struct rules *rules, const char *repository, const char *tag,
                   unsigned kinds)
{
    struct tag_search search = {.rules = rules, .tag = tag, .kinds = kinds};

    pattern_index_visit(rules->immutable, repository, find_tag, &search);
    return search.is_found;
}

bool rules_is_tag_immutable(const struct rules *rules, const char *repository, const char *tag)
{
    return is_tag(rules, repository, tag, RULES_TAG_IMMUTABLE);
}

bool rules_is_tag_kept(const struct rules *rules, const char *repository, const char *tag)
{
    return is_tag(rules, repository, tag, RULES_TAG_IMMUTABLE | RULES_TAG_ALWAYS);
}

/* --- retention -------------------------------------------------------------------------- */

struct retention_search {
    const struct rules *rules;
    struct rules_retention *ret;
};

static void keep_larger(uint64_t *value, uint64_t other)
{
    if (other > *value)
        *value = other;
}

static bool add_retentions(void *context, const struct pattern_grant *grants, size_t count)
{
    const struct retention_search *search = context;

    for (size_t i = 0; i < count; i++) {
        const struct rules_retention *line = &search->rules->retentions[grants[i].principal];

        search->ret->has_tags |= line->has_tags;
        keep_larger(&search->ret->newest, line->newest);
        keep_larger(&search->ret->pushed_s, line->pushed_s);
        keep_larger(&search->ret->pulled_s, line->pulled_s);
        keep_larger(&search->ret->untagged_s, line->untagged_s);
    }
    return false;
}

void rules_find_retention(const struct rules *rules, const char *repository,
                          struct rules_retention *ret)
{
    struct retention_search search = {.rules = rules, .ret = ret};

    *ret = (struct rules_retention){0};
    pattern_index_visit(rules->retention, repository, add_retentions, &search);
}

bool rules_have_retention(const struct rules *rules)
{
    return rules->retention_count > 0;
}

/* --- quotas ----------------------------------------------------------------------------- */

struct quota_search {
    const struct rules *rules;
    const struct rules_quota **found; /* sorted by line, without duplicates */
    size_t count;
};

static void add_quota(struct quota_search *search, const struct rules_quota *quota)
{
    size_t at = search->count;

    while (at > 0 && search->found[at - 1]->line > quota->line)
        at--;
    if (at == RULES_QUOTAS_OF_ONE || (at > 0 && search->found[at - 1] == quota))
        return;
    if (search->count < RULES_QUOTAS_OF_ONE)
        search->count++;
    memmove(search->found + at + 1, search->found + at,
            (search->count - 1 - at) * sizeof(*search->found));
    search->found[at] = quota;
}

static bool add_quotas(void *context, const struct pattern_grant *grants, size_t count)
{
    struct quota_search *search = context;

    for (size_t i = 0; i < count; i++)
        add_quota(search, &search->rules->quotas[grants[i].principal]);
    return false;
}

size_t rules_find_quotas(const struct rules *rules, const char *repository,
                         const struct rules_quota *ret[RULES_QUOTAS_OF_ONE])
{
    struct quota_search search = {.rules = rules, .found = ret};

    if (rules->quota_count > 0)
        pattern_index_visit(rules->quota_index, repository, add_quotas, &search);
    return search.count;
}

size_t rules_list_quotas(const struct rules *rules, const struct rules_quota **ret)
{
    *ret = rules->quotas;
    return rules->quota_count;
}
