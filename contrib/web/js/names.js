// SPDX-License-Identifier: BSD-2-Clause
// A name that somebody wishes to have, from a field where none is allowed too.
import {t} from './i18n.js';
import {nameFault} from './text.js';

// {name, fault}: the name without spaces around it, null for none; what is wrong with it in words, or null.
export function wishedName(field) {
    const name = field.value.trim();
    const fault = field.value === '' ? null : nameFault(name);
    return {name: name || null, fault: fault && t(`name.${fault}`)};
}
