import ByteText

/// The templates of `Configs/templates`, written here by `Deploy/embed-templates`.
public enum StandardTemplates {
  /// The sources by the names of their files.
  public static let sources: [Text: Text] = [
    "_base.html": ##"""
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{% block title %}{{ server_name }}{% endblock %}</title>
    <style>
    {% include "style.css" without context %}
    </style>
    {% block header %}{% endblock %}
    </head>
    <body>
    <main>
    {% block body %}{% endblock %}
    </main>
    <footer>{{ app_name | default("Matrix") }} · {{ server_name }}</footer>
    </body>
    </html>

    """##,
    "add_threepid.html": ##"""
    {% extends "_base.html" %}
    {% block title %}Confirm your e-mail address{% endblock %}
    {% block body %}
    <h1>Confirm your e-mail address</h1>
    <p>This address is to be added to an account on {{ server_name }}.</p>
    <p><a class="button" href="{{ link }}">Confirm the address</a></p>
    <p class="fine">If the button does nothing, open this address: <a href="{{ link }}">{{ link }}</a></p>
    <p class="fine">If you did not ask for it, ignore this message: the address is not added without the link.</p>
    {% endblock %}

    """##,
    "add_threepid.txt": ##"""
    Confirm your e-mail address

    This address is to be added to an account on {{ server_name }}.

    {{ link }}

    If you did not ask for it, ignore this message: the address is not added without the link.

    """##,
    "add_threepid_failure.html": ##"""
    {% extends "_base.html" %}
    {% block title %}That did not work{% endblock %}
    {% block body %}
    <h1>That did not work</h1>
    <p>The request could not be confirmed: {{ failure_reason }}.</p>
    {% endblock %}

    """##,
    "add_threepid_success.html": ##"""
    {% extends "_base.html" %}
    {% block title %}The address is confirmed{% endblock %}
    {% block body %}
    <h1>The address is confirmed</h1>
    <p>Go back to your client, which adds it to your account.</p>
    {% endblock %}

    """##,
    "already_in_use.html": ##"""
    {% extends "_base.html" %}
    {% block title %}You have an account already{% endblock %}
    {% block body %}
    <h1>You have an account already</h1>
    <p>This address was given for a new account on {{ server_name }}, but it belongs to an account there.</p>
    <p>If you have forgotten the password, ask for a new one where you log in. If it was not you who tried, there is nothing to do.</p>
    {% endblock %}

    """##,
    "already_in_use.txt": ##"""
    You have an account already

    This address was given for a new account on {{ server_name }}, but it belongs to an account there.

    If you have forgotten the password, ask for a new one where you log in. If it was not you who tried, there is nothing to do.

    """##,
    "auth_success.html": ##"""
    {% extends "_base.html" %}
    {% block title %}Done{% endblock %}
    {% block header %}
    <script>
    if (window.onAuthDone) { window.onAuthDone(); } else if (window.opener && window.opener.postMessage) { window.opener.postMessage("authDone", "*"); }
    </script>
    {% endblock %}
    {% block body %}
    <h1>Done</h1>
    <p>You can close this page and go back to your client.</p>
    {% endblock %}

    """##,
    "password_reset.html": ##"""
    {% extends "_base.html" %}
    {% block title %}Set a new password{% endblock %}
    {% block body %}
    <h1>Set a new password</h1>
    <p>A new password was asked for, for your account on {{ server_name }}.</p>
    <p><a class="button" href="{{ link }}">Go on to set it</a></p>
    <p class="fine">If the button does nothing, open this address: <a href="{{ link }}">{{ link }}</a></p>
    <p class="fine">If you did not ask for it, do not open the link, and tell your server's administrator.</p>
    {% endblock %}

    """##,
    "password_reset.txt": ##"""
    Set a new password

    A new password was asked for, for your account on {{ server_name }}.

    {{ link }}

    If you did not ask for it, do not open the link, and tell your server's administrator.

    """##,
    "password_reset_confirmation.html": ##"""
    {% extends "_base.html" %}
    {% block title %}Set a new password{% endblock %}
    {% block body %}
    <h1>Set a new password?</h1>
    <p>A new password was asked for, for your account on {{ server_name }}. If it was not you, close this page and nothing changes.</p>
    <form method="post">
    <input type="hidden" name="sid" value="{{ sid }}">
    <input type="hidden" name="token" value="{{ token }}">
    <input type="hidden" name="client_secret" value="{{ client_secret }}">
    <p><button type="submit">It was me, go on</button></p>
    </form>
    {% endblock %}

    """##,
    "password_reset_failure.html": ##"""
    {% extends "_base.html" %}
    {% block title %}That did not work{% endblock %}
    {% block body %}
    <h1>That did not work</h1>
    <p>The request could not be confirmed: {{ failure_reason }}.</p>
    {% endblock %}

    """##,
    "password_reset_success.html": ##"""
    {% extends "_base.html" %}
    {% block title %}That was you{% endblock %}
    {% block body %}
    <h1>That was you</h1>
    <p>Go back to your client to set the new password.</p>
    {% endblock %}

    """##,
    "recaptcha.html": ##"""
    {% extends "_base.html" %}
    {% block title %}Are you human?{% endblock %}
    {% block header %}
    <script src="https://www.recaptcha.net/recaptcha/api.js" async defer></script>
    <script>function solved() { document.getElementById("captcha").submit(); }</script>
    {% endblock %}
    {% block body %}
    <h1>Are you human?</h1>
    {% if error is defined %}<p class="error">{{ error }}</p>{% endif %}
    <p>Programs that register by themselves are kept out by this question.</p>
    <form id="captcha" method="post" action="{{ myurl }}">
    <input type="hidden" name="session" value="{{ session }}">
    <div class="g-recaptcha" data-sitekey="{{ sitekey }}" data-callback="solved"></div>
    <noscript><p>The question needs JavaScript.</p></noscript>
    </form>
    {% endblock %}

    """##,
    "registration.html": ##"""
    {% extends "_base.html" %}
    {% block title %}Confirm your e-mail address{% endblock %}
    {% block body %}
    <h1>Confirm your e-mail address</h1>
    <p>Somebody, we hope you, gave this address for a new account on {{ server_name }}.</p>
    <p><a class="button" href="{{ link }}">Confirm the address</a></p>
    <p class="fine">If the button does nothing, open this address: <a href="{{ link }}">{{ link }}</a></p>
    <p class="fine">If it was not you, ignore this message: without the link nothing happens.</p>
    {% endblock %}

    """##,
    "registration.txt": ##"""
    Confirm your e-mail address

    Somebody, we hope you, gave this address for a new account on {{ server_name }}.

    {{ link }}

    If it was not you, ignore this message: without the link nothing happens.

    """##,
    "registration_failure.html": ##"""
    {% extends "_base.html" %}
    {% block title %}That did not work{% endblock %}
    {% block body %}
    <h1>That did not work</h1>
    <p>The request could not be confirmed: {{ failure_reason }}.</p>
    {% endblock %}

    """##,
    "registration_success.html": ##"""
    {% extends "_base.html" %}
    {% block title %}The address is confirmed{% endblock %}
    {% block body %}
    <h1>The address is confirmed</h1>
    <p>Go back to your client to finish the registration.</p>
    {% endblock %}

    """##,
    "registration_token.html": ##"""
    {% extends "_base.html" %}
    {% block title %}Registration token{% endblock %}
    {% block body %}
    <h1>Registration token</h1>
    {% if error is defined %}<p class="error">{{ error }}</p>{% endif %}
    <form method="post" action="{{ myurl }}">
    <p><label>The token that you were given: <input type="text" name="token" autocomplete="off" required></label></p>
    <input type="hidden" name="session" value="{{ session }}">
    <p><input type="submit" value="Go on"></p>
    </form>
    {% endblock %}

    """##,
    "style.css": ##"""
    body { margin: 0; padding: 2rem 1rem; background: #f4f5f7; color: #22262b; font: 16px/1.5 system-ui, sans-serif; }
    main { max-width: 32rem; margin: 0 auto; padding: 1.5rem 2rem; background: #fff; border: 1px solid #dde0e4; border-radius: 8px; }
    footer { max-width: 32rem; margin: 1rem auto; color: #6b727b; font-size: 13px; text-align: center; }
    h1 { margin-top: 0; font-size: 1.4rem; }
    a { color: #0b5cad; overflow-wrap: anywhere; }
    button, input[type=submit], .button { display: inline-block; padding: .5rem 1.2rem; border: 0; border-radius: 6px; background: #0b5cad; color: #fff; font: inherit; text-decoration: none; cursor: pointer; }
    input[type=text] { padding: .45rem .6rem; border: 1px solid #b9bfc6; border-radius: 6px; font: inherit; }
    .error { color: #a8161e; font-weight: 600; }
    .fine { color: #6b727b; font-size: 14px; }

    """##,
    "terms.html": ##"""
    {% extends "_base.html" %}
    {% block title %}Terms{% endblock %}
    {% block body %}
    <h1>Terms of {{ server_name }}</h1>
    {% if error is defined %}<p class="error">{{ error }}</p>{% endif %}
    <form method="post" action="{{ myurl }}">
    <p>Please read <a href="{{ terms_url }}" target="_blank" rel="noopener">the server's policy</a>, and go on if you agree.</p>
    <input type="hidden" name="session" value="{{ session }}">
    <p><input type="submit" value="I agree"></p>
    </form>
    {% endblock %}

    """##,
  ]
}
