#include "zone.h"
