/* Stages of boots (lua/stages.lua): what replies have left notes of is written to the store a
 * moment later, off the way of any answer. */
#ifndef MOONBOOT_POLICY_STAGES_H
#define MOONBOOT_POLICY_STAGES_H

#include <lua.h>

#include "policy.h"

/* Has them seen from here on; throws. To be called protected, once the store is attached. */
void policy_stages_open(lua_State *L, struct policy *policy);

/* From here on hands what waits to the store at once, and tells when all of it is written. */
void policy_stages_hurry(struct policy *policy, void (*idle)(void *arg), void *arg);
bool policy_stages_idle(const struct policy *policy);

/* What is not written yet is counted as dropped. */
void policy_stages_close(struct policy *policy);

#endif
