// Fills a cell's arguments from Python's keyword arguments. Everything that is missing, unknown, or of another type or
// shape than its field is an error that names it.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <set>
#include <string>
#include <type_traits>

#include "cells/interface.hpp"

namespace hippo {

class ArgumentReader {
 public:
  ArgumentReader(const char* cell, const pybind11::kwargs& given) : cell_(cell), given_(given) {}

  // Reads all fields of `args`, whose layout is set; numbers first, because shapes depend on them.
  template <typename Arguments>
  void read(Arguments& args) {
    args.visit_numbers(*this);
    args.visit_arrays(*this);
    for (const auto& [name, value] : given_) {
      (void)value;
      if (!known_.count(name.template cast<std::string>()))
        throw pybind11::type_error(of(name.template cast<std::string>()) + "is not an argument of this cell");
    }
    if (const char* fault = args.fault()) throw pybind11::value_error(std::string(cell_) + ": " + fault);
  }

  void number(const char* name, std::int64_t& value) {
    const pybind11::object given = find(name);
    if (!pybind11::isinstance<pybind11::int_>(given)) throw pybind11::type_error(of(name) + "must be an integer");
    value = given.cast<std::int64_t>();
    if (value < 0) throw pybind11::value_error(of(name) + "must not be negative, got " + std::to_string(value));
  }

  void number(const char* name, bool& value) {
    const pybind11::object given = find(name);
    if (!pybind11::isinstance<pybind11::bool_>(given)) throw pybind11::type_error(of(name) + "must be a bool");
    value = given.cast<bool>();
    if (std::string(name) == "bfloat16") bfloat16_ = value;
  }

  void number(const char* name, float& value) {
    try {
      value = find(name).cast<float>();
    } catch (const pybind11::cast_error&) {
      throw pybind11::type_error(of(name) + "must be a number");
    }
  }

  // A null pointer stays if the array is not given.
  template <typename T>
  void array(const char* name, T*& data, Presence presence, const Shape& shape) {
    if (presence == Presence::absent) return;
    known_.insert(name);
    if (!given_.contains(name) || given_[name].is_none()) {
      if (presence == Presence::required) throw pybind11::type_error(of(name) + "is missing");
      return;
    }
    const pybind11::object given = given_[name];
    const bool half = std::is_void_v<T> && bfloat16_;
    if (half ? !contiguous<std::int16_t>(given) : !contiguous<float>(given))
      throw pybind11::type_error(of(name) + "must be a C-contiguous array of " +
                                 (half ? "int16 (the bits of bfloat16)" : "float32"));
    const auto values = pybind11::reinterpret_borrow<pybind11::array>(given);
    check_shape(name, values, shape);
    if (!std::is_const_v<T> && !values.writeable())
      throw pybind11::value_error(of(name) + "is updated in place and is read-only");
    data = static_cast<T*>(const_cast<void*>(values.data()));
  }

 private:
  std::string of(const std::string& name) const { return std::string(cell_) + ": '" + name + "' "; }

  pybind11::object find(const char* name) {
    known_.insert(name);
    if (!given_.contains(name)) throw pybind11::type_error(of(name) + "is missing");
    return given_[name];
  }

  template <typename E>
  static bool contiguous(const pybind11::object& value) {
    return pybind11::isinstance<pybind11::array_t<E, pybind11::array::c_style>>(value);
  }

  void check_shape(const char* name, const pybind11::array& values, const Shape& shape) const {
    pybind11::list dimensions;
    for (const std::int64_t dimension : {shape.first, shape.second, shape.third})
      if (dimension != Shape::none) dimensions.append(dimension);
    const pybind11::tuple expected(dimensions), given(values.attr("shape"));
    if (expected.equal(given)) return;
    throw pybind11::value_error(of(name) + "must have shape " + pybind11::str(expected).cast<std::string>() + ", got " +
                                pybind11::str(given).cast<std::string>());
  }

  const char* cell_;
  const pybind11::kwargs& given_;
  std::set<std::string> known_;
  bool bfloat16_ = false;
};

}  // namespace hippo
