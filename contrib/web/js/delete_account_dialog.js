// SPDX-License-Identifier: BSD-2-Clause
// Deleting the account. The login ends with it, which leads to the login form.
import {el, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {reasonOf, t} from './i18n.js';
import {passwordField} from './password_field.js';

export function openDeleteAccount(chat) {
    const userName = el('input', {type: 'text', autocomplete: 'username', value: chat.me, hidden: true, readonly: true}); // for a password manager
    const password = passwordField(t('erase.password'), {autocomplete: 'current-password'});
    const fault = el('p.fault', {role: 'alert'});
    const submit = el('button.danger', {type: 'submit'}, t('erase.yes'));
    const points = (name, count) => [el('h3', {}, t(`erase.${name}`)),
        el('ul.points', {}, Array.from({length: count}, (_, i) => el('li', {}, t(`erase.${name}${i + 1}`, {name: chat.me}))))];
    const onsubmit = async (event) => {
        event.preventDefault();
        fault.textContent = '';
        submit.disabled = true;
        try {
            await chat.deleteAccount(password.input.value);
        } catch (problem) {
            fault.textContent = problem.code === 'forbidden' ? t('erase.wrong') : reasonOf(problem);
            password.input.focus();
        }
        submit.disabled = false;
    };
    const dialog = openDialog(t('erase.title'), el('form.delete-account', {onsubmit},
        el('p', {}, t('erase.ask')), points('goes', 4), points('stays', 2), userName, password.node, fault,
        el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), submit)));
    password.input.focus();
}
