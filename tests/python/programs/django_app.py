#!/usr/bin/env python3
import os

import django
from django.conf import settings

APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
settings.configure(
    SECRET_KEY="not a secret",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=APPS,
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATA"] + "/django.db"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from wsgiref.handlers import CGIHandler  # noqa: E402

from django.contrib.auth import authenticate, login  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

PAGE = "{% for user in users %}<li>{{ user.username }} {{ user.email|default:'-' }}{% endfor %}"


def setup(request):
    call_command("migrate", verbosity=0)
    User.objects.create_user("ada", "ada@example.org", "a password")
    return HttpResponse("done")


@csrf_exempt
def log_in(request):
    user = authenticate(request, username=request.POST["name"], password=request.POST["password"])
    if user is None:
        return HttpResponse("no", status=403)
    login(request, user)
    return HttpResponse("welcome")


def me(request):
    return HttpResponse(f"you are {request.user.username or 'nobody'}")


def users(request):
    return HttpResponse(engines["django"].from_string(PAGE).render({"users": User.objects.all()}))


urlpatterns = [path("setup", setup), path("login", log_in), path("me", me), path("users", users)]
CGIHandler().run(get_wsgi_application())
