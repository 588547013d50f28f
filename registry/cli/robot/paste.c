/*
 * Formats the text that `registryd robot create` prints. The password appears twice: by itself, and
 * in the Secret, because Kubernetes accepts no other form. The other lines refer to a file or to a
 * secret of the CI system, so that the password gets into no command line and no repository.
 */
#include "registry/cli/robot/paste.h"

#include <errno.h>
#include <string.h>

/* %u, %h and %p stand for the user, the host and the password. */
static const char text[] =
    "user:     %u\n"
    "password: %p\n"
    "\n"
    "The password is shown only now. Only a digest of it is kept.\n"
    "\n"
    "docker login, with the password in a file that only you can read:\n"
    "\n"
    "  docker login --username %u --password-stdin %h < password-file\n"
    "\n"
    "Kubernetes: the next lines contain the password. Pass them to \"kubectl apply -f -\",\n"
    "and name the Secret under imagePullSecrets:\n"
    "\n"
    "apiVersion: v1\n"
    "kind: Secret\n"
    "metadata:\n"
    "  name: registry-robot\n"
    "type: kubernetes.io/dockerconfigjson\n"
    "stringData:\n"
    "  .dockerconfigjson: '{\"auths\":{\"%h\":{\"username\":\"%u\",\"password\":\"%p\"}}}'\n"
    "\n"
    "GitHub Actions: keep the password as the secret REGISTRY_PASSWORD\n"
    "(\"gh secret set REGISTRY_PASSWORD\" asks for it), and add this step:\n"
    "\n"
    "      - uses: docker/login-action@v3\n"
    "        with:\n"
    "          registry: %h\n"
    "          username: %u\n"
    "          password: ${{ secrets.REGISTRY_PASSWORD }}\n";

static int append(struct secbuf *ret, const char *bytes, size_t size)
{
    return size > 0 ? secbuf_append(ret, bytes, size) : 0;
}

int robot_paste(const char *user, const struct secbuf *password, const char *host,
                struct secbuf *ret)
{
    int r = 0;

    for (const char *at = text; r == 0 && *at;) {
        size_t plain = strcspn(at, "%");

        r = append(ret, at, plain);
        at += plain;
        if (r < 0 || !*at)
            break;
        if (at[1] == 'u')
            r = append(ret, user, strlen(user));
        else if (at[1] == 'h')
            r = append(ret, host, strlen(host));
        else
            r = append(ret, (const char *)password->data, password->size);
        at += 2;
    }
    return r;
}
