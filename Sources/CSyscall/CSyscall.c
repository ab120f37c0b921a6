#include "CSyscall.h"
