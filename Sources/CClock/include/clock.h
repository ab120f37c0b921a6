// Nothing of it is called by name: it is preloaded.
#pragma once
