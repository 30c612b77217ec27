// SPDX-License-Identifier: BSD-2-Clause
// Changing the password.
import {el, textButton} from './dom.js';
import {openDialog, say} from './dialog.js';
import {reasonOf, t} from './i18n.js';
import {passwordFault, passwordField} from './password_field.js';

// So that a password manager knows whose it is.
function userName(chat) {
    return el('input', {type: 'text', autocomplete: 'username', value: chat.me, hidden: true, readonly: true});
}

// A form whose button rests while it is sent. send() may reject with a Problem; faultOf(problem) words it.
function sentForm(spec, submit, fault, send, faultOf, ...content) {
    return el(spec, {onsubmit: async (event) => {
        event.preventDefault();
        fault.textContent = '';
        submit.disabled = true;
        try {
            await send();
        } catch (problem) {
            fault.textContent = faultOf(problem);
        } finally {
            submit.disabled = false;
        }
    }}, ...content);
}

export function openChangePassword(chat) {
    const old = passwordField(t('password.old'), {autocomplete: 'current-password'});
    const fresh = passwordField(t('password.new'), {autocomplete: 'new-password'}, t('login.passwordHint'));
    const fault = el('p.fault', {role: 'alert'});
    const submit = el('button.primary', {type: 'submit'}, t('password.title'));
    const send = async () => {
        fault.textContent = passwordFault(fresh.input.value) ?? '';
        if (fault.textContent !== '') {
            fresh.input.focus();
            return;
        }
        await chat.rest.changePassword({old_password: old.input.value, new_password: fresh.input.value});
        dialog.close();
        say(t('password.changed'));
    };
    const faultOf = (problem) => {
        const wrong = problem.code === 'forbidden';
        (wrong ? old : fresh).input.focus();
        return wrong ? t('password.wrong') : reasonOf(problem);
    };
    const dialog = openDialog(t('password.title'), sentForm('form.change-password', submit, fault, send, faultOf,
        el('p.hint', {}, t('password.hint')), userName(chat), old.node, fresh.node, fault,
        el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), submit)));
    old.input.focus();
}
