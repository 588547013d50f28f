import * as api from './api.js';
import { field, h, replace } from './dom.js';
import { t } from './words.js';
import { toRepositories } from './route.js';

function whereNext(page) {
  if (window.location.hash === '#sign-in') window.location.hash = toRepositories();
  else page.again();
}

export function showSignIn(page) {
  page.title(t('signin.title'));
  const user = h('input', {
    name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false',
    required: true,
  });
  const password = h('input', {
    name: 'password', type: 'password', autocomplete: 'current-password', required: true,
  });
  const failure = h('p', { class: 'failure', role: 'alert' });
  const button = h('button', { class: 'main' }, t('signin.button'));
  const form = h('form', {
    class: 'signin',
    submit: async (event) => {
      event.preventDefault();
      button.disabled = true;
      failure.textContent = '';
      try {
        await api.signIn(user.value, password.value);
        password.value = '';
        page.announce(t('signin.done', { user: user.value }));
        whereNext(page);
      } catch (error) {
        failure.textContent = error.status === 401 ? t('signin.wrong') : error.message;
        password.select();
      } finally {
        button.disabled = false;
      }
    },
  }, field(t('signin.user'), user), field(t('signin.password'), password), failure, button,
  h('p', { class: 'hint' }, api.self.tokens ? t('signin.token') : t('signin.memory')));
  replace(page.body, form);
  user.focus();
}
