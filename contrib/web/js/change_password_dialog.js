// SPDX-License-Identifier: BSD-2-Clause
// Changing the password.
import {el, textButton} from './dom.js';
import {openDialog, say} from './dialog.js';
import {reasonOf, t} from './i18n.js';
import {passwordFault, passwordField} from './password_field.js';

export function openChangePassword(chat) {
    const userName = el('input', {type: 'text', autocomplete: 'username', value: chat.me, hidden: true, readonly: true}); // for a password manager
    const old = passwordField(t('password.old'), {autocomplete: 'current-password'});
    const fresh = passwordField(t('password.new'), {autocomplete: 'new-password'}, t('login.passwordHint'));
    const fault = el('p.fault', {role: 'alert'});
    const submit = el('button.primary', {type: 'submit'}, t('password.title'));
    const refuse = ({input}, text) => {
        fault.textContent = text;
        input.focus();
    };
    const change = async () => {
        const weak = passwordFault(fresh.input.value);
        if (weak !== null) {
            refuse(fresh, weak);
            return;
        }
        try {
            await chat.rest.changePassword({old_password: old.input.value, new_password: fresh.input.value});
            dialog.close();
            say(t('password.changed'));
        } catch (problem) {
            if (problem.code === 'forbidden')
                refuse(old, t('password.wrong'));
            else
                refuse(fresh, reasonOf(problem));
        }
    };
    const onsubmit = async (event) => {
        event.preventDefault();
        fault.textContent = '';
        submit.disabled = true;
        await change();
        submit.disabled = false;
    };
    const dialog = openDialog(t('password.title'), el('form.change-password', {onsubmit},
        el('p.hint', {}, t('password.hint')), userName, old.node, fresh.node, fault,
        el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), submit)));
    old.input.focus();
}
