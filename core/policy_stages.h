/* Stages of boots (lua/stages.lua): what replies have left notes of is written to the store a
 * moment later, off the way of any answer. */
#ifndef MOONBOOT_POLICY_STAGES_H
#define MOONBOOT_POLICY_STAGES_H

#include <lua.h>

#include "policy.h"

/* Has them seen from here on; throws. To be called protected, once the store is attached. */
void policy_stages_open(lua_State *L, struct policy *policy);

/* Hands what waits to the store at once, as far as that goes. */
void policy_stages_flush(struct policy *policy);

void policy_stages_close(struct policy *policy);

#endif
