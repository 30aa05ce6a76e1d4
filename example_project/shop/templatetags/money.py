"""Amounts in templates."""

from __future__ import annotations

from django import template

from example_project.shop.money import format_minor_units

register = template.Library()
register.filter("minor_money", format_minor_units)
