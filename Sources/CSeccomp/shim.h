// libseccomp, and its action macros, which Swift does not see.
#include <seccomp.h>
static const uint32_t fracas_action_allow = SCMP_ACT_ALLOW;
static const uint32_t fracas_action_notify = SCMP_ACT_NOTIFY;
