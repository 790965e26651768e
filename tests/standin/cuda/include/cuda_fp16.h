#pragma once  // what it declares is in half.hpp
